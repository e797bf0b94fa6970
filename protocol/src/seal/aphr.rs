//! The content of an APHR: the records it was made from, each with the r that opens it, and the aggregate.
//!
//! LP(source list) ‖ LP(aggregate); the source list is RecordId 32 ‖ r 32 ‖ Sig 64 for each source, 128 bytes, in the order
//! of height, then position in the block.

use super::RecordSecret;
use crate::hash::RecordId;
use crate::identity::Signature;
use crate::limits;
use std::fmt;
use zeroize::Zeroizing;

/// One source record, disclosed to the group.
#[derive(Clone, Debug)]
pub struct AphrSource {
    /// Which record.
    pub record: RecordId,
    /// Its r.
    pub r: RecordSecret,
    /// Its producer's Sig over the RecordId.
    pub signature: Signature,
}

impl AphrSource {
    /// Length in bytes.
    pub const LEN: usize = 32 + 32 + 64;
}

/// What an APHR seals, besides its recipient. Sealed as the bytes of a plaintext of type 2.
#[derive(Clone)]
pub struct AphrContent {
    /// 1 to [`limits::APHR_SOURCES_MAX`] sources.
    pub sources: Vec<AphrSource>,
    /// The aggregate: canonical JSON. Wiped on drop, not shown by `Debug`.
    pub aggregate: Zeroizing<Vec<u8>>,
}

/// Why bytes are not the content of an APHR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AphrError {
    /// A length field does not match what follows, or something follows the aggregate.
    #[error("its two parts do not fill it exactly")]
    Framing,
    /// None, too many, or a part of one.
    #[error("a source list of {0} bytes; it has 1 to {max} sources of {len} bytes", max = limits::APHR_SOURCES_MAX, len = AphrSource::LEN)]
    Sources(usize),
}

impl AphrContent {
    /// The bytes to seal. Refuses a number of sources that no reader would accept.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, AphrError> {
        let list_len = self.sources.len() * AphrSource::LEN;
        check_list_len(list_len)?;
        let len_field = |len: usize| u32::try_from(len).map(u32::to_be_bytes).map_err(|_| AphrError::Framing);
        // Exact capacity: growing would leave copies of secrets behind.
        let mut out = Zeroizing::new(Vec::with_capacity(8 + list_len + self.aggregate.len()));
        out.extend_from_slice(&len_field(list_len)?);
        for source in &self.sources {
            out.extend_from_slice(source.record.as_bytes());
            out.extend_from_slice(source.r.expose());
            out.extend_from_slice(source.signature.as_bytes());
        }
        out.extend_from_slice(&len_field(self.aggregate.len())?);
        out.extend_from_slice(&self.aggregate);
        Ok(out)
    }

    /// Reads exactly one content from all of `bytes`. Checks the framing, not the sources.
    pub fn decode(bytes: &[u8]) -> Result<Self, AphrError> {
        let (list, rest) = split_lp(bytes)?;
        let (aggregate, rest) = split_lp(rest)?;
        if !rest.is_empty() {
            return Err(AphrError::Framing);
        }
        check_list_len(list.len())?;
        let mut sources = Vec::with_capacity(list.len() / AphrSource::LEN);
        for source in list.chunks_exact(AphrSource::LEN) {
            let mut record = RecordId::ZERO;
            let mut r = Zeroizing::new([0; 32]);
            let mut signature = Signature::ZERO;
            record.0.copy_from_slice(&source[..32]);
            r.copy_from_slice(&source[32..64]);
            signature.0.copy_from_slice(&source[64..]);
            sources.push(AphrSource { record, r: RecordSecret::from_bytes(&r), signature });
        }
        Ok(Self { sources, aggregate: Zeroizing::new(aggregate.to_vec()) })
    }
}

fn check_list_len(len: usize) -> Result<(), AphrError> {
    let fits = len > 0 && len.is_multiple_of(AphrSource::LEN) && len / AphrSource::LEN <= limits::APHR_SOURCES_MAX;
    if fits { Ok(()) } else { Err(AphrError::Sources(len)) }
}

/// The first LP-framed part and what follows it.
fn split_lp(bytes: &[u8]) -> Result<(&[u8], &[u8]), AphrError> {
    let (len, rest) = bytes.split_first_chunk::<4>().ok_or(AphrError::Framing)?;
    let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| AphrError::Framing)?;
    rest.split_at_checked(len).ok_or(AphrError::Framing)
}

impl fmt::Debug for AphrContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AphrContent({} sources, {} bytes, redacted)", self.sources.len(), self.aggregate.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(sources: u8) -> AphrContent {
        let source = |i: u8| AphrSource {
            record: RecordId([i; 32]),
            r: RecordSecret::from_bytes(&[i ^ 0x55; 32]),
            signature: Signature([i ^ 0xaa; 64]),
        };
        AphrContent { sources: (0..sources).map(source).collect(), aggregate: Zeroizing::new(b"{}".to_vec()) }
    }

    #[test]
    fn the_layout_is_the_specs_and_survives_the_round_trip() {
        let bytes = content(3).encode().unwrap();
        assert_eq!(bytes.len(), 4 + 3 * 128 + 4 + 2);
        assert_eq!(bytes[..4], [0, 0, 1, 128]);
        assert_eq!((&bytes[4 + 128..4 + 160], &bytes[4 + 160..4 + 192]), (&[1; 32][..], &[0x54; 32][..]));
        assert_eq!(bytes[388..], [0, 0, 0, 2, b'{', b'}']);
        let read = AphrContent::decode(&bytes).unwrap();
        assert_eq!(read.encode().unwrap(), bytes);
        assert_eq!(read.sources[2].signature, Signature([0xa8; 64]));
        assert!(!format!("{read:?}").contains("{}"));
    }

    #[test]
    fn every_truncation_and_extension_is_refused() {
        let bytes = content(2).encode().unwrap();
        for len in 0..bytes.len() {
            assert_eq!(AphrContent::decode(&bytes[..len]).unwrap_err(), AphrError::Framing, "{len} bytes");
        }
        assert_eq!(AphrContent::decode(&[&bytes[..], &[0]].concat()).unwrap_err(), AphrError::Framing);
    }

    #[test]
    fn a_list_of_no_or_of_too_many_or_of_broken_sources_is_refused() {
        let framed = |list: usize| {
            let len = u32::try_from(list).unwrap().to_be_bytes();
            [&len[..], &vec![0; list], &[0; 4]].concat()
        };
        let most = limits::APHR_SOURCES_MAX * AphrSource::LEN;
        assert_eq!(AphrContent::decode(&framed(most)).unwrap().sources.len(), limits::APHR_SOURCES_MAX);
        for list in [0, 1, 127, 129, most + AphrSource::LEN] {
            assert_eq!(AphrContent::decode(&framed(list)).unwrap_err(), AphrError::Sources(list));
        }
        assert_eq!(content(0).encode().unwrap_err(), AphrError::Sources(0));
    }
}
