//! Seals of each receiver type, with every intermediate value.

use crate::{bytes, committed, rng, settle};
use medring_protocol::chebyshev::SecretKey;
use medring_protocol::hash::{ChainId, Commitment, Gid, ParticipantId, RecordId};
use medring_protocol::identity::Signature;
use medring_protocol::record::{Content, Kind, Receiver};
use medring_protocol::seal::derive::{self, Part};
use medring_protocol::seal::{
    self, AphrContent, AphrSource, PlainKind, RecordSecret, SealContext, Sealed, SensitivePlain, To,
};
use rand::Rng;
use serde_json::{Value, json};

const FILE: &str = "seal.json";
const ABOUT: &str = "Seals, padded to at least 1,024 bytes. Randomness is drawn as r (32 bytes), then e (32 bytes). \
    AES-256-GCM and zstd are given by their results (wrap, body, padded).";
const CHAIN: ChainId = ChainId([0xc1; 32]);
const PATIENT: ParticipantId = ParticipantId([0xa1; 32]);
const HOSPITAL: ParticipantId = ParticipantId([0xb1; 32]);
const GID: Gid = Gid([0x61; 32]);
const K_REC: [u8; 32] = [0x6b; 32];
const PAD_MIN: usize = 1024;

/// The recipient's secret key in all cases.
fn recipient() -> SecretKey {
    SecretKey::generate(&mut rng(30))
}

fn case(name: &str, kind: Kind, to: To<'_>, plain: &SensitivePlain, seed: u8) -> Value {
    let public = b"kind, schema 1".as_slice();
    let ctx = SealContext { chain: &CHAIN, kind, uploader: &HOSPITAL, public };
    let mut draws = rng(seed);
    let Sealed { content, r } = seal::seal(&ctx, to, plain, PAD_MIN, &mut draws.clone()).unwrap();
    let c = content.commitment;
    let hex_of = |part| hex::encode(derive::associated_data(&ctx, part, &content.receiver, &c));
    let head = if matches!(to, To::Group { .. }) { 1 } else { 257 };
    let mut case = json!({
        "name": name, "chain": CHAIN, "kind": kind.id(), "uploader": HOSPITAL, "public": hex::encode(public),
        "receiver": hex::encode(content.receiver.to_bytes()),
        "recipient": plain.recipient, "plain_type": plain.kind.id(), "content": hex::encode(&*plain.bytes),
        "padded": hex::encode(&*plain.encode(PAD_MIN).unwrap()),
        "r": hex::encode(r.expose()), "c": c,
        "k_record": hex::encode(*derive::record_key(&ctx, &c, r.expose()).key),
        "ad_wrap": hex_of(Part::Wrap), "ad_body": hex_of(Part::Body),
        "wrap": hex::encode(&content.sealed[head..head + 48]), "body": hex::encode(&content.sealed[head + 48..]),
        "s": hex::encode(&content.sealed),
    });
    let (keys, more) = match to {
        To::Group { k_rec, gid } => (derive::group_wrap(&ctx, &c, k_rec, &gid), json!({ "k_rec": hex::encode(k_rec) })),
        To::Participant(key) | To::Owner { key, .. } => {
            draws.fill_bytes(&mut [0; 32]);
            let e = SecretKey::generate(&mut draws);
            let z = e.agree(key);
            let (keys, tag) = derive::participant_wrap(&ctx, &c, &z, e.public().bytes(), key);
            let secret = recipient();
            let more = json!({
                "recipient_secret": hex::encode(secret.expose()), "recipient_key": key.to_string(),
                "e": hex::encode(e.expose()), "ephemeral": e.public().to_string(),
                "z": hex::encode(z.as_bytes()), "tag16": hex::encode(tag),
            });
            (keys, more)
        }
    };
    case["k"] = hex::encode(*keys.key).into();
    case["nonce"] = hex::encode(keys.nonce).into();
    case.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    case
}

fn cases() -> Vec<Value> {
    let secret = recipient();
    let bundle = |len: usize| {
        let entry = r#"{"resource":{"resourceType":"Observation","status":"final"}}"#;
        let entries = vec![entry; len].join(",");
        let text = format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{entries}]}}"#);
        SensitivePlain::new(PATIENT, PlainKind::FhirBundle, text.into_bytes())
    };
    // Two sources and an aggregate that does not compress, so that the padding is the next power of two.
    let mut draws = rng(31);
    let mut fill = |mut bytes: Vec<u8>| {
        draws.fill_bytes(&mut bytes);
        bytes
    };
    let mut source = |id: u8| AphrSource {
        record: RecordId([id; 32]),
        r: RecordSecret::from_bytes(&fill(vec![0; 32]).try_into().unwrap()),
        signature: Signature(fill(vec![0; 64]).try_into().unwrap()),
    };
    let sources = vec![source(0x11), source(0x22)];
    let aphr = AphrContent { sources, aggregate: fill(vec![0; 1200]).into() };
    let aphr = SensitivePlain { recipient: PATIENT, kind: PlainKind::Aphr, bytes: aphr.encode().unwrap() };
    let to_patient = To::Participant(secret.public());
    vec![
        case("EHR to the patient", Kind::Ehr, to_patient, &bundle(3), 32),
        case(
            "EMR to the patient, empty content",
            Kind::Emr,
            to_patient,
            &SensitivePlain { bytes: vec![].into(), ..bundle(0) },
            33,
        ),
        case("PHR to the owner of a group", Kind::Phr, To::Owner { key: secret.public(), gid: GID }, &bundle(40), 34),
        case("PHR to a group", Kind::Phr, To::Group { k_rec: &K_REC, gid: GID }, &bundle(1), 35),
        case("APHR to a group, padded to 2,048", Kind::Aphr, To::Group { k_rec: &K_REC, gid: GID }, &aphr, 36),
    ]
}

#[test]
fn the_committed_file_is_what_the_code_computes() {
    settle(FILE, ABOUT, cases());
}

/// Independent of how zstd compresses today: what was sealed when the file was committed still opens.
#[test]
fn the_committed_seals_open() {
    let array = |case: &Value, field| <[u8; 32]>::try_from(bytes(case, field)).unwrap();
    for case in committed(FILE)["cases"].as_array().unwrap() {
        let field = bytes(case, "receiver");
        let receiver = match field[0] {
            1 => Receiver::Tag(field[1..].try_into().unwrap()),
            2 => Receiver::Group(Gid(field[1..].try_into().unwrap())),
            _ => Receiver::GroupOwner(Gid(field[1..].try_into().unwrap())),
        };
        let chain = ChainId(array(case, "chain"));
        let content = Content {
            kind: Kind::from_id(u8::try_from(case["kind"].as_u64().unwrap()).unwrap()).unwrap(),
            uploader: ParticipantId(array(case, "uploader")),
            receiver,
            commitment: Commitment(array(case, "c")),
            public: bytes(case, "public"),
            sealed: bytes(case, "s"),
        };
        seal::check_shape(&receiver, &content.sealed, PAD_MIN).unwrap();
        let opened = if let Receiver::Group(_) = receiver {
            seal::open_in_group(&chain, &content, &array(case, "k_rec"))
        } else {
            let secret = SecretKey::from_bytes(&array(case, "recipient_secret")).unwrap();
            seal::open_as(&chain, &content, &ParticipantId(array(case, "recipient")), &secret)
        };
        assert_eq!(*opened.unwrap().unwrap().plain.bytes, bytes(case, "content"), "{}", case["name"]);
        let r = RecordSecret::from_bytes(&array(case, "r"));
        let disclosed = seal::open_with_r(&chain, &content, &r).unwrap().plain;
        assert_eq!(disclosed.kind.id(), u8::try_from(case["plain_type"].as_u64().unwrap()).unwrap());
    }
}
