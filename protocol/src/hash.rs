//! H, the one hash of the scheme (spec: encoding), and the ids that it makes.

use sha2::{Digest, Sha256};

/// First framed string of everything hashed or derived: a change of the scheme changes it.
pub const DOMAIN: &[u8] = b"medring/1";

byte_newtype!(
    /// H("chain", canonical chain parameters): names one network.
    ChainId, 32);
byte_newtype!(
    /// SHA-256 of a header's 112 bytes, read as a big-endian integer against the target.
    BlockId, 32);
byte_newtype!(
    /// H("content", …): what a record says, without its envelope.
    RecordId, 32);
byte_newtype!(
    /// H("record", …): a full record with signature and envelope; the Merkle leaf and the inventory on the wire.
    WireId, 32);
byte_newtype!(
    /// H("id", suite, ed25519_pk, chebyshev_pk): a participant.
    ParticipantId, 32);
byte_newtype!(
    /// H("gid", ED): one epoch of one group.
    Gid, 32);
byte_newtype!(
    /// c = H("commit", suite, r): the public commitment to a record's secret r (the paper's public H(r)).
    Commitment, 32);

macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The closed list of hash tags: nothing is hashed or signed under another.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Tag { $($(#[$doc])* $name,)* }
        impl Tag {
            /// Every tag, for the check that no two are equal and that the spec lists them.
            pub const ALL: &'static [Tag] = &[$(Tag::$name,)*];
            /// The tag's bytes.
            pub const fn text(self) -> &'static str {
                match self { $(Tag::$name => $text,)* }
            }
        }
    };
}

tags! {
    /// Chain parameters.
    Chain = "chain",
    /// Participant id.
    Id = "id",
    /// Name of one public key.
    Key = "key",
    /// Signed by the subject of an enrolment.
    Enrol = "enrol",
    /// Commitment to r.
    Commit = "commit",
    /// Public part of a record.
    Public = "m",
    /// Sealed part of a record.
    Sealed = "s",
    /// Record content; its hash is the RecordId, which the producer signs.
    Content = "content",
    /// Signed by the uploader.
    Envelope = "envelope",
    /// Full record.
    Record = "record",
    /// Records root of a block.
    Root = "root",
    /// Epoch descriptor, signed by P (2 of 4).
    EpochDescriptor = "ed",
    /// Group id of an epoch.
    GroupId = "gid",
    /// Two-party agreement, h0.
    Pair = "2pa",
    /// Two-party agreement, h1.
    PairH1 = "h1",
    /// Two-party agreement, h2.
    PairH2 = "h2",
    /// Two-party agreement, h3.
    PairH3 = "h3",
    /// Signed by the responder.
    PairResponder = "2pa-r",
    /// Signed by the initiator.
    PairInitiator = "2pa-i",
    /// Static secret of a pair.
    StaticSecret = "ss",
    /// Ring transcript.
    RingTranscript = "th",
    /// One member's X, signed.
    RingShare = "x",
    /// One member's confirmation, signed.
    Confirm = "confirm",
    /// All confirmations.
    Confirms = "confirms",
    /// Fingerprint that people compare.
    Fingerprint = "fp",
    /// Signed by a member who takes up an invitation; its first bytes are the code that two people compare.
    Join = "join",
    /// Signed by a member who asks the owner for a change.
    Ask = "ask",
    /// Signed by whoever aborts an attempt.
    Abort = "abort",
    /// Signed by a member who discloses the B values of a dead attempt.
    Disclose = "disclose",
    /// Signed by the owner: you are not in the next epoch, and why.
    Notice = "notice",
    /// Signed by an owner who lost its device and asks members for the last descriptor.
    Recall = "recall",
    /// Names within an aggregate, and what makes two of its resources the same.
    Aggregate = "aggregate",
    /// Short id of a record within one block.
    Short = "short",
}

/// LP(b): the length as u32 big-endian, then the bytes.
fn lp(state: &mut Sha256, bytes: &[u8]) {
    // A field of 4 GiB cannot reach here: every input is bounded by `limits`.
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    state.update(len.to_be_bytes());
    state.update(bytes);
}

/// H(tag, f1, f2, …) = SHA-256(LP("medring/1") ‖ LP(tag) ‖ LP(f1) ‖ …).
pub fn h(tag: Tag, fields: &[&[u8]]) -> [u8; 32] {
    let mut state = Sha256::new();
    lp(&mut state, DOMAIN);
    lp(&mut state, tag.text().as_bytes());
    for field in fields {
        lp(&mut state, field);
    }
    state.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_tags_are_equal() {
        for (i, a) in Tag::ALL.iter().enumerate() {
            assert!(Tag::ALL[i + 1..].iter().all(|b| a.text() != b.text()), "{a:?}");
        }
    }

    #[test]
    fn framing_keeps_fields_apart() {
        assert_ne!(h(Tag::Id, &[b"ab", b"c"]), h(Tag::Id, &[b"a", b"bc"]));
        assert_ne!(h(Tag::Id, &[b"ab"]), h(Tag::Id, &[b"ab", b""]));
    }
}
