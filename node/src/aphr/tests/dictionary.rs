//! Guessing low-entropy content from what stands on the chain: against the twin without r it works, against ours not.

use super::*;
use medring_protocol::kdf::{Suite, kdf};
use sha2::{Digest, Sha256};

/// All that the guesser does not know: one of these pulses.
const GUESSES: std::ops::Range<u32> = 30..220;

/// The printed scheme's record: its public part has a hash of the sensitive part, its key comes from nothing random. The
/// twin is ours with r left out: c and K_rec follow from the plaintext, as in convergent encryption.
struct Twin {
    commitment: [u8; 32],
    body_key: [u8; 32],
}

fn twin(plain: &[u8]) -> Twin {
    let digest: [u8; 32] = Sha256::digest(plain).into();
    let body_key: [u8; 32] = *kdf(Suite::T2Aes, None, &[&digest], "record key", &[]);
    Twin { commitment: Sha256::digest(digest).into(), body_key }
}

#[test]
fn a_dictionary_opens_the_twin_without_r_and_not_ours() {
    let kit = Kit::new(51);
    let mut world = World::new(&kit);
    let secret = 117;
    let padded = |value: u32| {
        let bytes = pulse(value).to_string().into_bytes();
        SensitivePlain::new(kit.patient.id, PlainKind::FhirBundle, bytes).encode(1024).unwrap()
    };
    // The twin: whoever holds the public commitment tries every content.
    let published = twin(&padded(secret));
    let found: Vec<u32> = GUESSES.filter(|guess| twin(&padded(*guess)).commitment == published.commitment).collect();
    assert_eq!(found, [secret], "190 hashes tell the pulse");
    assert_eq!(twin(&padded(found[0])).body_key, published.body_key, "and the key");
    // Ours: the guesser has the record, every public value, and the same dictionary; each guess is tried in place of r as
    // the twin would have it, by every derivation that a record has.
    let made = world.phr(&pulse(secret));
    let (content, chain) = (&made.record.content, &kit.chain);
    for guess in GUESSES {
        let plain = padded(guess);
        let digest: [u8; 32] = Sha256::digest(&*plain).into();
        for r in [digest, Sha256::digest(digest).into(), twin(&plain).body_key, twin(&plain).commitment] {
            let r = RecordSecret::from_bytes(&r);
            assert_ne!(r.commitment(), content.commitment, "c says nothing of the content");
            assert!(seal::open_with_r(chain, content, &r).is_err());
        }
    }
    // The same content sealed twice has nothing in common on the chain, so a guess cannot be compared by sealing it anew.
    let again = world.phr(&pulse(secret));
    assert_ne!(again.record.content.commitment, content.commitment);
    let tail = |sealed: &[u8]| sealed[sealed.len() - 1024 - 16..].to_vec();
    let (one, two) = (tail(&content.sealed), tail(&again.record.content.sealed));
    let equal = one.iter().zip(&two).filter(|(a, b)| a == b).count();
    assert!(equal < 40, "{equal} of 1,040 bytes equal: not more than chance");
    // And the length is the padding's: every guess has the same.
    assert!({ GUESSES }.all(|guess| padded(guess).len() == 1024));
    // With r, which a member is given, it opens.
    assert_eq!(
        seal::open_with_r(chain, content, &made.r).unwrap().plain.bytes.as_slice(),
        pulse(secret).to_string().as_bytes()
    );
}
