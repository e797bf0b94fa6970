//! A copy of every payload on its way out, before transport encryption: what a leak test searches. Test networks only.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Where payloads are copied to: nowhere, or the end of a file, each as u32 length ‖ bytes. Clones share the file.
#[derive(Clone, Debug, Default)]
pub struct Capture(Option<Arc<Mutex<File>>>);

impl Capture {
    /// Copies to the end of `path`, or nowhere.
    pub fn open(path: Option<&Path>) -> io::Result<Self> {
        let open = |path| File::options().create(true).append(true).open(path);
        Ok(Self(path.map(open).transpose()?.map(|file| Arc::new(Mutex::new(file)))))
    }

    /// Copies one payload. Blocks for as long as the disk takes, which only a test network may ask of an event loop.
    pub(super) fn add(&self, payload: &[u8]) {
        let Some(file) = &self.0 else { return };
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(&[&length, payload].concat()) {
            tracing::error!(%error, "network.capture: a payload was not copied");
        }
    }
}
