//! Files given to commands: read whole, with a limit, and named in every failure.

use crate::failure::{Exit, Failure, Outcome};
use medring_node::wallet::challenge::Card;
use medring_node::wallet::files;
use medring_protocol::vitals::parse_instant;
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

/// A time: `2026-11-23T08:20:00Z`, with or without milliseconds, or ms since 1970.
pub(crate) fn time_ms(text: &str) -> Result<u64, String> {
    let whole = text.strip_suffix('Z').map(|seconds| format!("{seconds}.000Z")).unwrap_or_default();
    let read = text.parse().ok().or_else(|| parse_instant(text)).or_else(|| parse_instant(&whole));
    read.ok_or_else(|| "give UTC as 2026-11-23T08:20:00Z, or ms since 1970".into())
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

#[cfg(test)]
mod tests {
    use super::time_ms;

    #[test]
    fn times_are_read_as_they_are_shown() {
        assert_eq!(time_ms("2000-02-29T12:34:56Z"), Ok(951_827_696_000));
        assert_eq!(time_ms("2000-02-29T12:34:56.789Z"), Ok(951_827_696_789));
        assert_eq!(time_ms("951827696789"), Ok(951_827_696_789));
        for wrong in ["", "Z", "yesterday", "2000-02-30T12:34:56Z", "2000-02-29T12:34:56", "-1"] {
            assert!(time_ms(wrong).is_err(), "{wrong}");
        }
    }
}
