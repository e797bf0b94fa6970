//! The sensitive plaintext: recipient 32 ‖ type u8 ‖ length u32 ‖ zstd frame ‖ zeros up to a power of two.

use super::aead::TAG_BYTES;
use super::{PlainError, SealError, layout::PADDED_BYTES_MAX};
use crate::hash::ParticipantId;
use crate::limits::SENSITIVE_PLAIN_BYTES_MAX;
use std::fmt;
use zeroize::Zeroizing;
use zstd::zstd_safe;

/// recipient ‖ type ‖ length.
const HEADER_BYTES: usize = 32 + 1 + 4;
/// Smallest padding a genesis may set.
const PAD_MIN_BYTES: usize = 1024;
/// zstd's first four bytes; skippable frames begin otherwise.
const FRAME_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Slow and small: a record is sealed once and kept by everyone for ever.
const LEVEL: i32 = 19;

/// What the content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PlainKind {
    /// 0: a FHIR R4 Bundle in JSON, its resources unchanged.
    FhirBundle = 0,
    /// 2: an APHR: LP(source list) ‖ LP(aggregate). (1 is reserved for lists of off-chain blobs.)
    Aphr = 2,
}

impl PlainKind {
    /// The id on the wire.
    pub const fn id(self) -> u8 {
        self as u8
    }
}

impl TryFrom<u8> for PlainKind {
    type Error = PlainError;
    fn try_from(id: u8) -> Result<Self, PlainError> {
        match id {
            0 => Ok(Self::FhirBundle),
            2 => Ok(Self::Aphr),
            other => Err(PlainError::Kind(other)),
        }
    }
}

/// What only the receiver reads. The content is wiped on drop and not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct SensitivePlain {
    /// For whom: the receiver's id, or P's in records sealed to the group. Inside the seal, so that a record made for one
    /// patient cannot be passed off as another's.
    pub recipient: ParticipantId,
    /// What `bytes` is.
    pub kind: PlainKind,
    /// The content, at most [`SENSITIVE_PLAIN_BYTES_MAX`].
    pub bytes: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for SensitivePlain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SensitivePlain({:?}, {} bytes, redacted)", self.kind, self.bytes.len())
    }
}

impl SensitivePlain {
    /// A plaintext of `bytes` for `recipient`.
    pub fn new(recipient: ParticipantId, kind: PlainKind, bytes: Vec<u8>) -> Self {
        Self { recipient, kind, bytes: Zeroizing::new(bytes) }
    }

    /// Compressed and padded to a power of two, at least `pad_min` (itself one, 1 KiB to 64 KiB): what is encrypted.
    pub fn encode(&self, pad_min: usize) -> Result<Zeroizing<Vec<u8>>, SealError> {
        if !pad_min.is_power_of_two() || !(PAD_MIN_BYTES..=PADDED_BYTES_MAX).contains(&pad_min) {
            return Err(SealError::PadMin(pad_min));
        }
        if self.bytes.len() > SENSITIVE_PLAIN_BYTES_MAX {
            return Err(SealError::TooLong { got: self.bytes.len() });
        }
        let frame = zstd::bulk::compress(&self.bytes, LEVEL).map_err(|e| SealError::Compression(e.to_string()))?;
        let frame = Zeroizing::new(frame);
        let room = PADDED_BYTES_MAX - HEADER_BYTES;
        let fits = u32::try_from(frame.len()).ok().filter(|_| frame.len() <= room);
        let Some(len) = fits else {
            return Err(SealError::DoesNotFit { compressed: frame.len(), room });
        };
        let padded = (HEADER_BYTES + frame.len()).next_power_of_two().max(pad_min);
        let mut out = Zeroizing::new(Vec::with_capacity(padded + TAG_BYTES));
        out.extend_from_slice(self.recipient.as_bytes());
        out.push(self.kind.id());
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(&frame);
        out.resize(padded, 0);
        Ok(out)
    }

    /// Reads what was decrypted. Allocates no more than the content's stated size, and that is bounded first.
    pub fn decode(padded: &[u8]) -> Result<Self, PlainError> {
        let (recipient, rest) = padded.split_first_chunk::<32>().ok_or(PlainError::Truncated)?;
        let (kind, rest) = rest.split_first().ok_or(PlainError::Truncated)?;
        let (len, rest) = rest.split_first_chunk::<4>().ok_or(PlainError::Truncated)?;
        let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| PlainError::Truncated)?;
        let (frame, padding) = rest.split_at_checked(len).ok_or(PlainError::Truncated)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(PlainError::Padding);
        }
        let kind = PlainKind::try_from(*kind)?;
        Ok(Self { recipient: ParticipantId(*recipient), kind, bytes: decompress(frame)? })
    }
}

/// Exactly one frame that states its size. The output buffer has that size and the decoder needs no window of its own, so
/// a frame that lies, or states more than the limit, costs nothing.
fn decompress(frame: &[u8]) -> Result<Zeroizing<Vec<u8>>, PlainError> {
    if !frame.starts_with(&FRAME_MAGIC) || zstd_safe::find_frame_compressed_size(frame) != Ok(frame.len()) {
        return Err(PlainError::Frame);
    }
    let Ok(Some(stated)) = zstd_safe::get_frame_content_size(frame) else {
        return Err(PlainError::Frame);
    };
    let wrong = PlainError::Size { stated };
    let size = usize::try_from(stated).ok().filter(|size| *size <= SENSITIVE_PLAIN_BYTES_MAX).ok_or(wrong.clone())?;
    let mut bytes = Zeroizing::new(vec![0; size]);
    match zstd_safe::decompress(bytes.as_mut_slice(), frame) {
        Ok(written) if written == size => Ok(bytes),
        _ => Err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A plaintext around any frame, well-formed otherwise.
    fn around(frame: &[u8]) -> Vec<u8> {
        let mut out = vec![9; 32];
        out.push(0);
        out.extend_from_slice(&u32::try_from(frame.len()).unwrap().to_be_bytes());
        out.extend_from_slice(frame);
        out.resize(out.len().next_power_of_two(), 0);
        out
    }

    fn frame(bytes: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(bytes, LEVEL).unwrap()
    }

    fn refused(padded: &[u8]) -> PlainError {
        SensitivePlain::decode(padded).unwrap_err()
    }

    #[test]
    fn the_layout_is_the_specs() {
        let padded =
            SensitivePlain::new(ParticipantId([7; 32]), PlainKind::Aphr, b"content".to_vec()).encode(1024).unwrap();
        let inner = frame(b"content");
        assert_eq!(padded.len(), 1024);
        assert_eq!(padded[..32], [7; 32]);
        assert_eq!(padded[32], 2);
        assert_eq!(padded[33..37], u32::try_from(inner.len()).unwrap().to_be_bytes());
        assert_eq!(padded[37..37 + inner.len()], inner);
        assert!(padded[37 + inner.len()..].iter().all(|b| *b == 0));
    }

    #[test]
    fn padding_that_is_not_zero_is_refused() {
        let mut padded = around(&frame(b"content"));
        *padded.last_mut().unwrap() = 1;
        assert_eq!(refused(&padded), PlainError::Padding);
    }

    #[test]
    fn reserved_and_unknown_types_are_refused() {
        for kind in [1, 3, 255] {
            let mut padded = around(&frame(b"content"));
            padded[32] = kind;
            assert_eq!(refused(&padded), PlainError::Kind(kind));
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let whole = around(&frame(b"content"));
        let end = 37 + frame(b"content").len();
        for len in 0..end {
            assert_eq!(refused(&whole[..len]), PlainError::Truncated, "{len} bytes");
        }
        let mut lying = whole;
        lying[33..37].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(refused(&lying), PlainError::Truncated);
    }

    #[test]
    fn a_bomb_is_refused_by_its_stated_size() {
        let bomb = frame(&vec![0; SENSITIVE_PLAIN_BYTES_MAX + 1]);
        assert!(bomb.len() < 2000, "16 MiB of zeros in {} bytes", bomb.len());
        assert_eq!(refused(&around(&bomb)), PlainError::Size { stated: SENSITIVE_PLAIN_BYTES_MAX as u64 + 1 });
        // At the limit it is read.
        let most = frame(&vec![0; SENSITIVE_PLAIN_BYTES_MAX]);
        assert_eq!(SensitivePlain::decode(&around(&most)).unwrap().bytes.len(), SENSITIVE_PLAIN_BYTES_MAX);
    }

    /// A frame that states `size` in an 8-byte field (magic, descriptor 0xe0: single segment) before the blocks of `of`.
    fn lying_frame(size: u64, of: &[u8]) -> Vec<u8> {
        let honest = frame(of);
        assert_eq!(honest[4] >> 5, 1, "single segment, 1-byte size: the header is 6 bytes");
        let mut out = FRAME_MAGIC.to_vec();
        out.push(0xe0);
        out.extend_from_slice(&size.to_le_bytes());
        out.extend_from_slice(&honest[6..]);
        out
    }

    #[test]
    fn a_frame_that_lies_about_its_size_is_refused() {
        assert_eq!(decompress(&lying_frame(7, b"content")).unwrap().as_slice(), b"content", "the same frame, honest");
        for stated in [0, 6, 8, 1 << 20, 1 << 62, u64::MAX - 2] {
            assert_eq!(refused(&around(&lying_frame(stated, b"content"))), PlainError::Size { stated });
        }
    }

    #[test]
    fn other_frames_are_refused() {
        let mut unsized_frame = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
        unsized_frame.write_all(b"content").unwrap();
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0][..], b"hide"].concat();
        for (what, bytes) in [
            ("no stated size", unsized_frame.finish().unwrap()),
            ("two frames", [frame(b"a"), frame(b"b")].concat()),
            ("a skippable frame", skippable.clone()),
            ("a skippable frame behind", [frame(b"a"), skippable].concat()),
            ("trailing bytes", [frame(b"a"), vec![1]].concat()),
            ("not zstd", b"{\"resourceType\":\"Bundle\"}".to_vec()),
            ("empty", Vec::new()),
        ] {
            assert_eq!(refused(&around(&bytes)), PlainError::Frame, "{what}");
        }
    }
}
