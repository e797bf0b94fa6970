//! Keystores opened, damaged and changed.

use super::*;
use medring_protocol::identity::IdentitySecret;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use std::path::PathBuf;

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.as_bytes()).unwrap()
}

struct Fixture {
    _dir: tempfile::TempDir,
    path: PathBuf,
    keystore: Keystore,
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("alice.keystore");
    let identity = IdentitySecret::generate(&mut rng(1));
    let keystore =
        Keystore::create(&path, &passphrase("correct horse"), identity, KdfCost::TESTNET, &mut rng(2)).unwrap();
    Fixture { _dir: dir, path, keystore }
}

#[test]
fn what_was_stored_is_what_opens() {
    let f = fixture();
    let opened = Keystore::open(&f.path, &passphrase("correct horse")).unwrap();
    assert_eq!(*opened.identity().expose(), *f.keystore.identity().expose());
    assert_eq!(opened.participant(), opened.identity().public().id());
    let info = Keystore::inspect(&f.path).unwrap();
    assert_eq!((info.participant, info.keys), (opened.participant(), opened.identity().public()));
}

#[test]
fn a_wrong_passphrase_is_told_from_damage() {
    let f = fixture();
    let refused = Keystore::open(&f.path, &passphrase("incorrect horse")).unwrap_err();
    assert!(matches!(refused, KeystoreError::WrongPassphrase(_)), "{refused}");
    std::fs::write(&f.path, b"{}").unwrap();
    let refused = Keystore::open(&f.path, &passphrase("correct horse")).unwrap_err();
    assert!(matches!(refused, KeystoreError::Damaged { .. }), "{refused}");
}

#[test]
fn each_byte_flipped_in_each_way_is_an_error_and_never_a_panic() {
    let f = fixture();
    let whole = std::fs::read(&f.path).unwrap();
    for at in 0..whole.len() {
        for flip in [0x01, 0x02, 0x20, 0x80] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            std::fs::write(&f.path, &bytes).unwrap();
            // Before any passphrase is asked for: nobody doubts their memory over a bad disk.
            let refused = Keystore::inspect(&f.path).err().unwrap_or_else(|| panic!("byte {at} ^ {flip} was accepted"));
            assert!(matches!(refused, KeystoreError::Damaged { .. }), "byte {at} ^ {flip}: {refused}");
        }
    }
}

#[test]
fn each_truncation_is_an_error() {
    let f = fixture();
    let whole = std::fs::read(&f.path).unwrap();
    for len in 0..whole.len() {
        std::fs::write(&f.path, &whole[..len]).unwrap();
        assert!(matches!(Keystore::inspect(&f.path), Err(KeystoreError::Damaged { .. })), "{len} bytes");
    }
}

#[test]
fn a_forged_cost_is_refused_before_memory_is_taken() {
    let f = fixture();
    let whole = std::fs::read(&f.path).unwrap();
    for (field, value) in [("memory_kib", 4_000_000_000_u64), ("memory_kib", 8), ("passes", 1000), ("lanes", 0)] {
        let mut json: serde_json::Value = serde_json::from_slice(&whole).unwrap();
        json["body"]["kdf"][field] = value.into();
        // The forger mends the checksum as well.
        let body: serde_json::Value = json["body"].clone();
        let refused = keystore::forge_for_tests(&f.path, body);
        assert!(matches!(refused, KeystoreError::Cost { .. }), "{field} = {value}: {refused}");
    }
}

#[test]
fn keys_swapped_by_a_forger_do_not_open() {
    let f = fixture();
    let other = IdentitySecret::generate(&mut rng(9)).public();
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&f.path).unwrap()).unwrap();
    let mut body = json["body"].clone();
    body["keys"] = serde_json::to_value(&other).unwrap();
    assert!(matches!(keystore::forge_for_tests(&f.path, body.clone()), KeystoreError::Damaged { .. }));
    body["participant"] = serde_json::to_value(other.id()).unwrap();
    let refused = keystore::forge_for_tests(&f.path, body);
    assert!(
        matches!(refused, KeystoreError::WrongPassphrase(_)),
        "the data key is bound to the participant: {refused}"
    );
}

#[test]
fn a_new_passphrase_opens_the_same_keys_and_secrets_and_the_old_one_nothing() {
    let f = fixture();
    f.keystore.seal_secret("libp2p", b"node key", &mut rng(3)).unwrap();
    f.keystore.change_passphrase(&passphrase("battery staple"), KdfCost::TESTNET, &mut rng(4)).unwrap();
    let refused = Keystore::open(&f.path, &passphrase("correct horse")).unwrap_err();
    assert!(matches!(refused, KeystoreError::WrongPassphrase(_)), "{refused}");
    let opened = Keystore::open(&f.path, &passphrase("battery staple")).unwrap();
    assert_eq!(*opened.identity().expose(), *f.keystore.identity().expose());
    assert_eq!(opened.open_secret("libp2p").unwrap().unwrap().as_slice(), b"node key");
    // The one that was open all along adds a secret: the new passphrase stays.
    f.keystore.seal_secret("other", b"x", &mut rng(5)).unwrap();
    assert!(Keystore::open(&f.path, &passphrase("battery staple")).is_ok());
    assert!(opened.open_secret("absent").unwrap().is_none());
}

#[test]
fn what_cannot_be_kept_is_refused_and_nothing_is_overwritten() {
    let f = fixture();
    let before = std::fs::read(&f.path).unwrap();
    for (name, secret) in [("", vec![1]), ("UPPER", vec![1]), ("long", vec![0; 5000]), ("empty", vec![])] {
        let refused = f.keystore.seal_secret(name, &secret, &mut rng(3)).unwrap_err();
        assert!(matches!(refused, KeystoreError::Secret { .. }), "{refused}");
    }
    let again = Keystore::create(
        &f.path,
        &passphrase("correct horse"),
        IdentitySecret::generate(&mut rng(7)),
        KdfCost::TESTNET,
        &mut rng(8),
    );
    assert!(matches!(again, Err(KeystoreError::Exists(_))));
    let short = Keystore::create(
        &f.path.with_extension("new"),
        &passphrase("short"),
        IdentitySecret::generate(&mut rng(7)),
        KdfCost::TESTNET,
        &mut rng(8),
    );
    assert!(matches!(short, Err(KeystoreError::Passphrase(PassphraseError::TooShort { .. }))));
    assert_eq!(std::fs::read(&f.path).unwrap(), before);
}

#[test]
fn neither_the_file_nor_debug_shows_a_secret() {
    let f = fixture();
    let text = std::fs::read_to_string(&f.path).unwrap();
    let secret = f.keystore.identity().expose();
    for half in secret.chunks(32) {
        assert!(!text.contains(&hex::encode(half)));
        assert!(!format!("{:?}", f.keystore).contains(&hex::encode(half)));
    }
    assert!(!text.contains("correct horse"));
}
