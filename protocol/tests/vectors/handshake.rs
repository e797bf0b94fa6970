//! handshake.json: two-party agreements with all that went into them.

use super::settle;
use medring_protocol::Gid;
use medring_protocol::group::pair::{Initiator, PairContext, Responder};
use medring_protocol::testkit::ring::Given;
use medring_protocol::testkit::{Actor, bytes32};
use serde_json::{Value, json};

const ABOUT: &str = "Two-party agreements (groups.md): secrets, the three messages, and the pair that both ends hold.";

/// Keys of a participant, secret and public.
pub(crate) fn identity(actor: &Actor) -> Value {
    let secret = actor.secret.expose();
    json!({
        "signing_seed": hex::encode(&secret[..32]), "chebyshev_secret": hex::encode(&secret[32..]),
        "signing": actor.keys.signing, "chebyshev": actor.keys.chebyshev, "id": actor.id,
    })
}

/// The three messages of one agreement, without epoch and pair.
pub(crate) fn messages(
    m1: &medring_protocol::group::message::M1,
    m2: &medring_protocol::group::message::M2,
    m3: &medring_protocol::group::message::M3,
) -> Value {
    json!({
        "m1": { "ephemeral": m1.ephemeral, "sealed": hex::encode(&m1.sealed), "mac": hex::encode(m1.mac) },
        "m2": { "ephemeral": m2.ephemeral, "sealed": hex::encode(&m2.sealed), "mac": hex::encode(m2.mac),
                "signature": m2.signature },
        "m3": { "ack": hex::encode(m3.ack), "signature": m3.signature },
    })
}

fn case(name: &str, seed: u64, index: u16) -> Value {
    let (a, b) = (Actor::new(seed, "initiator", None), Actor::new(seed, "responder", None));
    let gid = Gid(bytes32(seed, "gid", 0));
    let (r_i, r_j) = (bytes32(seed, "r_i", 0), bytes32(seed, "r_j", 0));
    let ctx = PairContext { gid, index, initiator: &a.keys, responder: &b.keys };
    let (initiator, m1) = Initiator::start(&ctx, &a.secret, &mut Given::new(&r_i)).unwrap();
    let (responder, m2) = Responder::respond(&ctx, &b.secret, &m1, &mut Given::new(&r_j)).unwrap();
    let (pair, m3) = initiator.finish(&ctx, &a.secret, &m2).unwrap();
    assert_eq!(responder.accept(&ctx, &m3).unwrap().to_bytes(), pair.to_bytes());
    let next = Gid(bytes32(seed, "gid", 1));
    let mut case = json!({
        "name": name, "gid": gid, "pair": index, "initiator": identity(&a), "responder": identity(&b),
        "r_i": hex::encode(r_i), "r_j": hex::encode(r_j),
        "sk": hex::encode(*pair.sk), "ss": hex::encode(*pair.ss), "ph": hex::encode(pair.hash),
        "next_gid": next, "ratcheted_sk": hex::encode(*pair.ratchet(&next).sk),
    });
    case.as_object_mut().unwrap().extend(messages(&m1, &m2, &m3).as_object().unwrap().clone());
    case
}

#[test]
fn handshake_json_is_what_this_crate_computes() {
    let cases = vec![case("the first pair of a ring", 201, 0), case("the last pair of the longest ring", 202, 255)];
    settle("handshake.json", ABOUT, cases);
}
