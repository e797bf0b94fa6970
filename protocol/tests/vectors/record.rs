//! record.json: RecordId, what the envelope signs, WireId, and the bytes in the codec.

use super::settle;
use medring_protocol::record::{Kind, Record};
use medring_protocol::testkit::Kit;
use serde_json::{Value, json};

fn case(kit: &Kit, name: &str, record: &Record) -> Value {
    let [content, envelope] = record.signature_checks(&kit.chain, &kit.uploader(record.content.kind).keys).unwrap();
    assert!(content.verify() && envelope.verify(), "{name}");
    json!({
        "name": name,
        "chain": kit.chain,
        "kind": record.content.kind.id(),
        "uploader": record.content.uploader,
        "receiver": hex::encode(record.content.receiver.to_bytes()),
        "commitment": record.content.commitment,
        "public": hex::encode(&record.content.public),
        "sealed": hex::encode(&record.content.sealed),
        "record_id": record.id(&kit.chain),
        "signing_key": content.key,
        "signature": record.signature,
        "stamp_ms": record.envelope.stamp_ms,
        "expiry_height": record.envelope.expiry_height,
        "envelope_hash": hex::encode(envelope.hash),
        "auth_scheme": record.envelope.auth.scheme,
        "proof": hex::encode(&record.envelope.auth.proof),
        "wire_id": record.wire_id(&kit.chain),
        "encoded": hex::encode(record.encode()),
    })
}

#[test]
fn record_json_is_what_this_crate_computes() {
    let kit = Kit::new(100);
    let mut cases: Vec<_> =
        Kind::ALL.into_iter().map(|kind| case(&kit, kind.name(), &kit.record(kind, 1, 7))).collect();
    let mut content = kit.record(Kind::Ehr, 2, 7).content;
    content.public = br#"{"kind":"ehr"}"#.to_vec();
    cases.push(case(&kit, "ehr with a public part", &kit.sign(content, 7)));
    let Record { content, signature, .. } = kit.record(Kind::Emr, 1, 7);
    let again = Record::wrap(&kit.chain, content, signature, 1_700_000_060_000, 42, &kit.doctor.secret);
    cases.push(case(&kit, "emr in a second envelope: same RecordId, another WireId", &again));
    let about = "RecordId, the hash that the envelope's proof signs, WireId, and the record in the codec. What is sealed \
                 here is random bytes of the right shape; seal.json has real ones.";
    settle("record.json", about, cases);
}
