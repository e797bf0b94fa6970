//! Looks for what identifies a patient in bytes that others see: stored columns, payloads, logs.

use std::collections::{BTreeMap, BTreeSet};

/// The shortest string looked for, bytes. Shorter ones turn up by chance.
pub const NEEDLE_BYTES_MIN: usize = 6;

/// A string that should not have been there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leak {
    /// Where it was found.
    pub place: String,
    /// What.
    pub needle: String,
    /// At which byte.
    pub offset: usize,
}

/// Strings to look for, all at once: a search costs about one look-up per byte, however many strings there are.
#[derive(Debug, Default)]
pub struct Detector {
    by_prefix: BTreeMap<[u8; NEEDLE_BYTES_MIN], Vec<Vec<u8>>>,
    /// First two bytes of some needle: most of a haystack ends here.
    starts: BTreeSet<[u8; 2]>,
}

impl Detector {
    /// Looks for each of `needles` that has at least [`NEEDLE_BYTES_MIN`] bytes.
    pub fn new<'a>(needles: impl IntoIterator<Item = &'a str>) -> Self {
        let mut detector = Self::default();
        for needle in needles {
            let bytes = needle.as_bytes();
            if let Some(prefix) = bytes.first_chunk::<NEEDLE_BYTES_MIN>() {
                detector.starts.insert([prefix[0], prefix[1]]);
                detector.by_prefix.entry(*prefix).or_default().push(bytes.to_vec());
            }
        }
        detector
    }

    /// How many strings it looks for.
    pub fn len(&self) -> usize {
        self.by_prefix.values().map(Vec::len).sum()
    }

    /// Whether it looks for nothing, and would never find anything.
    pub fn is_empty(&self) -> bool {
        self.by_prefix.is_empty()
    }

    /// Every string found in `bytes`, each once.
    pub fn search(&self, place: &str, bytes: &[u8]) -> BTreeSet<Leak> {
        let mut table = vec![false; 1 << 16];
        for start in &self.starts {
            table[usize::from(u16::from_be_bytes(*start))] = true;
        }
        let mut found: BTreeMap<&[u8], usize> = BTreeMap::new();
        for (offset, window) in bytes.windows(NEEDLE_BYTES_MIN).enumerate() {
            if !table[usize::from(u16::from_be_bytes([window[0], window[1]]))] {
                continue;
            }
            for needle in self.by_prefix.get(window).into_iter().flatten() {
                if bytes[offset..].starts_with(needle) {
                    found.entry(needle).or_insert(offset);
                }
            }
        }
        let leak = |(needle, offset): (&[u8], usize)| Leak {
            place: place.into(),
            needle: String::from_utf8_lossy(needle).into_owned(),
            offset,
        };
        found.into_iter().map(leak).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_planted_is_found_and_nothing_else() {
        let detector = Detector::new(["Kulas532", "short", "1950-01-02"]);
        assert_eq!(detector.len(), 2);
        assert!(detector.search("here", b"nothing of the kind; short is too short, Kulas53 is cut").is_empty());
        let found = detector.search("here", b"..Kulas532.. and 1950-01-02, and Kulas532 again");
        let needles: Vec<_> = found.iter().map(|l| (l.needle.as_str(), l.offset)).collect();
        assert_eq!(needles, [("1950-01-02", 17), ("Kulas532", 2)]);
    }
}
