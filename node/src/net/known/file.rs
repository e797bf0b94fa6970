//! `peers.json`: what is remembered, on disk. Written whole or not at all; a damaged one is put aside and begun anew.

use super::bans::{BANS_MAX, Ban, Bans, MARKS_MAX, Marks, Target};
use super::book::{ADDRESSES_PER_PEER_MAX, Book, Known, PEERS_MAX};
use crate::wallet::{FileError, files};
use medring_protocol::ChainId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The format's name and version.
const FORMAT: &str = "medring-peers/1";
/// The longest file that is read: every table full, of the longest entries.
const BYTES_MAX: usize = PEERS_MAX * (200 + 120 * ADDRESSES_PER_PEER_MAX) + BANS_MAX * 400 + MARKS_MAX * 160;

/// What is on disk.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::net) struct Contents {
    format: String,
    chain_id: ChainId,
    peers: Vec<Known>,
    bans: Vec<Ban>,
    marks: BTreeMap<Target, Marks>,
}

impl Contents {
    /// Of what is remembered now.
    pub(in crate::net) fn new(chain_id: ChainId, book: &Book, bans: &Bans, now_ms: u64) -> Self {
        let (peers, marks, bans) = (book.list(), bans.marks(), bans.list(now_ms));
        Self { format: FORMAT.into(), chain_id, peers, bans, marks }
    }

    /// Reads it, and says what was wrong: then nothing is remembered, and the file is kept beside as `peers.json.damaged`.
    pub(in crate::net) fn read(path: &Path, chain_id: ChainId) -> (Book, Bans, Option<String>) {
        match Self::parse(path, chain_id) {
            Ok(None) => Default::default(),
            Ok(Some(contents)) => (Book::restore(contents.peers), Bans::restore(contents.bans, contents.marks), None),
            Err(problem) => {
                let aside = path.with_extension("json.damaged");
                // Should that fail too, it is overwritten by the next one.
                let _ = std::fs::rename(path, &aside);
                let warning = format!(
                    "{}: {problem}; known peers and bans are forgotten, the file is kept as {}",
                    path.display(),
                    aside.display()
                );
                (Book::default(), Bans::default(), Some(warning))
            }
        }
    }

    fn parse(path: &Path, chain_id: ChainId) -> Result<Option<Self>, String> {
        let bytes = match files::read_limited(path, BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(FileError { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let contents: Self = serde_json::from_slice(&bytes).map_err(|error| format!("is damaged ({error})"))?;
        if contents.format != FORMAT {
            return Err(format!("has the format {:?}, and this version reads {FORMAT:?}", contents.format));
        }
        if contents.chain_id != chain_id {
            return Err(format!("is of chain {}, and this node is on {chain_id}", contents.chain_id));
        }
        Ok(Some(contents))
    }

    /// Writes it; what stood there before stays whole until this does.
    pub(in crate::net) fn write(&self, path: &Path) -> Result<(), FileError> {
        // Only maps with other than text keys can fail, and there are none.
        let bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        files::write_private(path, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::bans::FAULT_POINTS;
    use super::*;
    use libp2p::PeerId;

    const CHAIN: ChainId = ChainId([7; 32]);

    fn full(now_ms: u64) -> (Book, Bans) {
        let (mut book, mut bans) = (Book::default(), Bans::default());
        let addresses = ["/ip4/10.0.0.1/tcp/1".parse().unwrap(), "/ip6/2001:db8::1/udp/2/quic-v1".parse().unwrap()];
        book.linked(PeerId::random(), &addresses, now_ms);
        book.heard(PeerId::random(), &addresses[..1]);
        bans.blame(PeerId::random(), Some("192.0.2.1".parse().unwrap()), FAULT_POINTS, "a bad block", now_ms);
        (book, bans)
    }

    #[test]
    fn peers_and_bans_outlast_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("peers.json");
        let (book, bans) = full(5);
        Contents::new(CHAIN, &book, &bans, 5).write(&path).unwrap();
        let (book_read, bans_read, problem) = Contents::read(&path, CHAIN);
        assert_eq!(problem, None);
        assert_eq!((book_read.list(), bans_read.list(5)), (book.list(), bans.list(5)));
        assert_eq!(bans_read.marks(), bans.marks());
        assert_eq!(bans_read.list(5).len(), 1);
    }

    #[test]
    fn a_damaged_file_is_put_aside_with_a_warning_wherever_it_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("peers.json");
        let (book, bans) = full(5);
        Contents::new(CHAIN, &book, &bans, 5).write(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let (book, bans, problem) = Contents::read(&path, CHAIN);
            assert!(problem.unwrap().contains("damaged") && book.list().is_empty() && bans.list(5).is_empty());
            assert!(!path.exists() && path.with_extension("json.damaged").exists(), "cut at {length}");
        }
    }

    #[test]
    fn another_format_and_another_chain_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("peers.json");
        let (book, bans) = full(5);
        let mut contents = Contents::new(CHAIN, &book, &bans, 5);
        contents.write(&path).unwrap();
        let (_, _, problem) = Contents::read(&path, ChainId([8; 32]));
        assert!(problem.unwrap().contains(&CHAIN.to_string()));
        contents.format = "medring-peers/2".into();
        contents.write(&path).unwrap();
        assert!(Contents::read(&path, CHAIN).2.unwrap().contains("medring-peers/2"));
        assert!(Contents::read(&path, CHAIN).2.is_none(), "no file is no damage");
    }

    #[test]
    fn full_tables_fit_into_what_is_read() {
        let (mut book, mut bans) = (Book::default(), Bans::default());
        let long: Vec<_> = (0..4)
            .map(|n| format!("/ip6/2001:db8:1111:2222:3333:4444:5555:{n:04}/udp/65535/quic-v1").parse().unwrap())
            .collect();
        for _ in 0..PEERS_MAX {
            book.linked(PeerId::random(), &long, u64::MAX / 2);
        }
        for _ in 0..BANS_MAX {
            bans.blame(PeerId::random(), None, FAULT_POINTS, &"x".repeat(200), u64::MAX / 2);
        }
        let bytes = serde_json::to_vec_pretty(&Contents::new(CHAIN, &book, &bans, 0)).unwrap().len();
        assert!(bytes <= BYTES_MAX, "{bytes} of {BYTES_MAX}");
    }
}
