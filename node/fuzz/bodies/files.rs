//! Files that an operator or another participant gives the node, and frames of ring streams.

use futures::executor::block_on;
use futures::io::Cursor;
use medring_node::config::{ConfigPatch, load};
use medring_node::driver::NodeFile;
use medring_node::net::ring::frame;
use medring_node::wallet::Keystore;
use medring_node::wallet::challenge::{Card, Challenge, Request};
use std::path::PathBuf;
use std::sync::LazyLock;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder for files"));

/// A file with this content.
fn file(name: &str, data: &[u8]) -> PathBuf {
    let folder = FOLDER.path().join(format!("{:?}", std::thread::current().id()));
    std::fs::create_dir_all(&folder).expect("a folder for this thread");
    let path = folder.join(name);
    std::fs::write(&path, data).expect("a file is written");
    path
}

/// Settings that are read are within their bounds.
pub(super) fn config(data: &[u8]) {
    let path = file("medring.toml", data);
    if let Ok(config) = load(Some(&path), [], &ConfigPatch::default()) {
        config.validate().expect("checked when read");
        assert!(config.api.listen.ip().is_loopback() && !config.network.listen.is_empty());
    }
}

/// What a keystore shows without its passphrase; opening it would cost Argon2.
pub(super) fn keystore(data: &[u8]) {
    if let Ok(info) = Keystore::inspect(&file("keystore", data)) {
        assert_eq!(info.keys.id(), info.participant, "an id that is not that of its keys");
    }
}

/// Card, challenge and request: three files of one ceremony, tried in turn.
pub(super) fn ceremony(data: &[u8]) {
    if let Ok(card) = Card::parse(data) {
        assert_eq!(Card::parse(card.to_json().as_bytes()).expect("what was written is read"), card);
    }
    if let Ok(challenge) = Challenge::parse(data) {
        assert_eq!(Challenge::parse(challenge.to_json().as_bytes()).expect("what was written is read"), challenge);
    }
    if let Ok(request) = Request::parse(data) {
        assert_eq!(Request::parse(request.to_json().as_bytes()).expect("what was written is read"), request);
    }
}

pub(super) fn node_file(data: &[u8]) {
    let path = file("node.json", data);
    let _ = NodeFile::read(path.parent().expect("it lies in a folder"));
}

/// A frame that is read is at most as long as allowed, and is written as the bytes it was read from.
pub(super) fn ring_frame(data: &[u8]) {
    for most in [16, 1024, 262_144] {
        let Ok(frame) = block_on(frame::read(&mut Cursor::new(data), most)) else { continue };
        assert!((1..=most).contains(&frame.len()));
        let mut again = Vec::new();
        block_on(frame::write(&mut again, &frame)).expect("memory takes it");
        assert_eq!(again, data[..4 + frame.len()]);
    }
}
