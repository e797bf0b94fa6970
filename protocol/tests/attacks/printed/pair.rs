//! III-D-1, "Mutual authentication and two-party agreement phase", between U_i and its successor U_{i+1}.

use super::{BASE, Parentheses, Public, User, hash};
use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use medring_protocol::chebyshev::t;

/// Step 1: C_i, T_{r_i}(x), MAC_{i,i+1}.
#[derive(Clone)]
pub(crate) struct M1 {
    pub(crate) c: Vec<u8>,
    pub(crate) ephemeral: [u8; 256],
    pub(crate) mac: [u8; 32],
}

/// Step 2: C_{i+1}, T_{r_{i+1}}(x), MAC_{i+1,i}.
#[derive(Clone)]
pub(crate) struct M2 {
    pub(crate) c: Vec<u8>,
    pub(crate) ephemeral: [u8; 256],
    pub(crate) mac: Vec<u8>,
}

/// E_k.
pub(crate) fn encrypt(k: &[u8; 256], plain: &[u8]) -> Vec<u8> {
    cipher(k).encrypt(&Nonce::default(), plain).unwrap()
}

/// D_k.
pub(crate) fn decrypt(k: &[u8; 256], sealed: &[u8]) -> Option<Vec<u8>> {
    cipher(k).decrypt(&Nonce::default(), sealed).ok()
}

fn cipher(k: &[u8; 256]) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(hash(&[k])))
}

/// What both messages encrypt: ID_i ‖ ID_{i+1} ‖ T_r(x). Both name U_i first.
fn names(first: &Public, second: &Public, ephemeral: &[u8; 256]) -> Vec<u8> {
    [&first.id[..], &second.id, ephemeral].concat()
}

/// MAC_{i,i+1} = H(ID_i ‖ ID_{i+1} ‖ C_i ‖ H(T_{s_i} T_{s_{i+1}}(x)) ‖ T_{r_i}(x)).
pub(crate) fn mac_1(first: &Public, second: &Public, c: &[u8], ss: &[u8; 256], ephemeral: &[u8; 256]) -> [u8; 32] {
    hash(&[&first.id, &second.id, c, &hash(&[ss]), ephemeral])
}

/// MAC_{i+1,i}, in either reading.
pub(crate) fn mac_2(
    parentheses: Parentheses,
    [first, second]: [&Public; 2],
    c: &[u8],
    ephemeral: &[u8; 256],
    ss: &[u8; 256],
    sk: &[u8; 256],
) -> Vec<u8> {
    let before: [&[u8]; 4] = [&first.id, &second.id, c, ephemeral];
    let after: [&[u8]; 2] = [&hash(&[ss]), sk];
    match parentheses {
        Parentheses::Printed => [&hash(&before)[..], after[0], after[1]].concat(),
        Parentheses::Mended => hash(&[&before[..], &after[..]].concat()).to_vec(),
    }
}

/// MAC'_{i,i+1} = H(ID_i ‖ ID_{i+1} ‖ H(T_{s_i} T_{s_{i+1}}(x)) ‖ SK_{i,i+1}).
pub(crate) fn ack(first: &Public, second: &Public, ss: &[u8; 256], session: &[u8; 32]) -> [u8; 32] {
    hash(&[&first.id, &second.id, &hash(&[ss]), session])
}

/// SK_{i,i+1} = H(ID_i ‖ ID_{i+1} ‖ T_{r_i} T_{r_{i+1}}(x)).
pub(crate) fn session(first: &Public, second: &Public, sk: &[u8; 256]) -> [u8; 32] {
    hash(&[&first.id, &second.id, sk])
}

/// Step 1, by U_i with r_i.
pub(crate) fn start(me: &User, next: &Public, r: &[u8; 32]) -> M1 {
    let ephemeral = t(r, &BASE);
    let c = encrypt(&t(r, &next.y), &names(&me.public, next, &ephemeral));
    let mac = mac_1(&me.public, next, &c, &t(&me.s, &next.y), &ephemeral);
    M1 { c, ephemeral, mac }
}

/// Step 2, by U_{i+1}: whether U_i's message holds. Nothing in it is older or newer than anything.
pub(crate) fn accepts(me: &User, before: &Public, m1: &M1) -> bool {
    decrypt(&t(&me.s, &m1.ephemeral), &m1.c) == Some(names(before, &me.public, &m1.ephemeral))
        && m1.mac == mac_1(before, &me.public, &m1.c, &t(&me.s, &before.y), &m1.ephemeral)
}

/// Step 2, by U_{i+1} with r_{i+1}: the answer.
pub(crate) fn respond(me: &User, before: &Public, m1: &M1, r: &[u8; 32], parentheses: Parentheses) -> Option<M2> {
    if !accepts(me, before, m1) {
        return None;
    }
    let ephemeral = t(r, &BASE);
    let (ss, sk) = (t(&me.s, &before.y), t(r, &m1.ephemeral));
    let c = encrypt(&t(r, &before.y), &names(before, &me.public, &ephemeral));
    let mac = mac_2(parentheses, [before, &me.public], &c, &ephemeral, &ss, &sk);
    Some(M2 { c, ephemeral, mac })
}

/// Step 3, by U_i: MAC'_{i,i+1} and SK_{i,i+1}.
pub(crate) fn finish(
    me: &User,
    next: &Public,
    r: &[u8; 32],
    m2: &M2,
    parentheses: Parentheses,
) -> Option<([u8; 32], [u8; 32])> {
    let (ss, sk) = (t(&me.s, &next.y), t(r, &m2.ephemeral));
    let holds = decrypt(&t(&me.s, &m2.ephemeral), &m2.c) == Some(names(&me.public, next, &m2.ephemeral))
        && m2.mac == mac_2(parentheses, [&me.public, next], &m2.c, &m2.ephemeral, &ss, &sk);
    let session = session(&me.public, next, &sk);
    holds.then(|| (ack(&me.public, next, &ss, &session), session))
}

/// Step 4, by U_{i+1}: SK_{i+1,i}.
pub(crate) fn accept(me: &User, before: &Public, m1: &M1, r: &[u8; 32], mac: &[u8; 32]) -> Option<[u8; 32]> {
    let session = session(before, &me.public, &t(r, &m1.ephemeral));
    (*mac == ack(before, &me.public, &t(&me.s, &before.y), &session)).then_some(session)
}
