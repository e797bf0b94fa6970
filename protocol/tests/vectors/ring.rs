//! ring.json: whole epochs as an observer records them, and the secrets of every member beside them.

use super::handshake::{identity, messages};
use super::{group, settle};
use medring_protocol::group::ring;
use medring_protocol::testkit::ring::{TestRing, ring_actors};
use serde_json::{Map, Value, json};

const ABOUT: &str = "Rings (groups.md): for each epoch the public transcript, and apart from it, under `secrets`, what its \
    members drew and derived. Kept pairs have no agreement: they ratchet.";

fn epoch(ring: &TestRing) -> Value {
    let agreements = (0..).zip(&ring.agreements).filter_map(|(pair, a)| a.as_ref().map(|a| (pair, a)));
    let shares = ring.shares.iter().map(|s| {
        json!({ "index": s.index, "x": hex::encode(s.x), "pair_before": hex::encode(s.pair_before),
                "pair_after": hex::encode(s.pair_after), "signature": s.signature })
    });
    let confirms = ring.confirms.iter();
    let confirms = confirms.map(|c| json!({ "index": c.index, "mac": hex::encode(c.mac), "signature": c.signature }));
    let ed = &ring.proposal.ed;
    json!({
        "ed": group::descriptor(ed),
        "owner_signature": ring.proposal.signature,
        "agreements": agreements.clone().map(|(pair, a): (u16, _)| {
            let mut messages = messages(&a.m1, &a.m2, &a.m3);
            messages["pair"] = pair.into();
            messages
        }).collect::<Vec<_>>(),
        "shares": shares.collect::<Vec<_>>(),
        "transcript": hex::encode(ring.transcript),
        "confirms": confirms.collect::<Vec<_>>(),
        "commit": { "gid": ring.commit.gid, "transcript": hex::encode(ring.commit.transcript),
                    "confirms": hex::encode(ring.commit.confirms) },
        "commit_record": ring::commit_record_id(&ed.chain, &ed.uploader, &ring.commit),
        "secrets": secrets(ring, agreements.map(|(pair, a)| {
            json!({ "pair": pair, "r_i": hex::encode(a.r_i), "r_j": hex::encode(a.r_j) })
        }).collect()),
    })
}

fn secrets(ring: &TestRing, drawn: Vec<Value>) -> Value {
    let keys = &ring.keys[0];
    let mut out = Map::new();
    let named = [
        ("gsk", &keys.gsk),
        ("k_conf", &keys.k_conf),
        ("k_rec", &keys.k_rec),
        ("k_idx", &keys.k_idx),
        ("k_exp", &keys.k_exp),
    ];
    out.extend(named.map(|(name, key)| (name.to_owned(), hex::encode(**key).into())));
    out.insert("fingerprint".into(), json!(ring::fingerprint(keys)));
    out.insert("drawn".into(), drawn.into());
    let pairs = ring.pairs.iter();
    let pairs = pairs.map(|p| json!({ "sk": hex::encode(*p.sk), "ss": hex::encode(*p.ss), "ph": hex::encode(p.hash) }));
    out.insert("pairs".into(), pairs.collect());
    out.insert("b".into(), ring.bs.iter().map(hex::encode).collect());
    out.into()
}

fn case(name: &str, rings: &[&TestRing]) -> Value {
    let mut members: Vec<_> = rings.iter().flat_map(|ring| ring.actors.iter().cloned()).collect();
    members.sort_by_key(|actor| actor.id);
    members.dedup_by_key(|actor| actor.id);
    json!({
        "name": name,
        "members": members.iter().map(|actor| identity(actor)).collect::<Vec<_>>(),
        "epochs": rings.iter().map(|ring| epoch(ring)).collect::<Vec<_>>(),
    })
}

#[test]
fn ring_json_is_what_this_crate_computes() {
    let all = ring_actors(210, 5);
    let first = |n: usize| TestRing::first(210, &all[..n], &mut |_| {});
    let three = first(3);
    let joined = three.next(210, &all[..4], vec![], &mut |_| {});
    let stay = [&all[..1], &all[2..4]].concat();
    let left = joined.next(210, &stay, vec![], &mut |_| {});
    let refreshed = left.next(210, &stay, vec![1], &mut |_| {});
    let cases = vec![
        case("one member", &[&first(1)]),
        case("two members", &[&first(2)]),
        case("three; one joins; one leaves; one pair is refreshed", &[&three, &joined, &left, &refreshed]),
        case("five members", &[&first(5)]),
    ];
    settle("ring.json", ABOUT, cases);
}
