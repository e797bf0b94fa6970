//! Files given to commands: read whole, with a limit, and named in every failure.

use crate::failure::{Exit, Failure, Outcome};
use medring_node::wallet::challenge::Card;
use medring_node::wallet::files;
use std::path::Path;
use zeroize::Zeroizing;

/// Reads a file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: usize) -> Outcome<Zeroizing<Vec<u8>>> {
    Ok(files::read_limited(path, limit)?)
}

/// Reads a file and makes something of it; what is wrong with it is told with its name.
pub(crate) fn parse<T, E: Into<Failure>>(
    path: &Path,
    limit: usize,
    make: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Outcome<T> {
    make(&read(path, limit)?).map_err(|e| e.into().about(path.display()))
}

/// Reads a participant's card.
pub(crate) fn card(path: &Path) -> Outcome<Card> {
    parse(path, medring_node::wallet::challenge::BYTES_MAX, Card::parse)
}

/// Writes a file that must not exist yet.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Outcome<()> {
    if path.symlink_metadata().is_ok() {
        let what = format!("{} exists already and is not overwritten; choose another path", path.display());
        return Err(Failure::new(Exit::CannotCreate, what));
    }
    Ok(files::write_private(path, bytes)?)
}
