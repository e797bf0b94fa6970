//! A passphrase in memory: from a private file or an open descriptor, wiped on drop, never from argv or the environment.

use super::files::{self, FileError};
use std::fs::File;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Longest passphrase, bytes.
pub const PASSPHRASE_BYTES_MAX: usize = 1024;
/// Shortest passphrase under which a new key is stored, bytes.
pub const PASSPHRASE_BYTES_MIN: usize = 8;

/// A passphrase. Wiped on drop, redacted in `Debug`.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<Vec<u8>>);

/// Why a passphrase was not taken. Never quotes it.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// The file could not be read.
    #[error("the passphrase: {0}")]
    File(#[from] FileError),
    /// Others than the owner can read the file.
    #[error(
        "others can read the passphrase file {path} (mode {mode:04o}): run `chmod 600 {path}` and try again",
        path = path.display()
    )]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Nothing in it.
    #[error("the passphrase is empty; put one line with the passphrase into the file")]
    Empty,
    /// Longer than [`PASSPHRASE_BYTES_MAX`].
    #[error("the passphrase is longer than {PASSPHRASE_BYTES_MAX} bytes; use a shorter one")]
    TooLong,
    /// Too short for a new key.
    #[error(
        "the passphrase has {got} bytes; a new one needs at least {PASSPHRASE_BYTES_MIN}, and five random words are better"
    )]
    TooShort {
        /// Bytes it has.
        got: usize,
    },
}

impl Passphrase {
    /// From bytes just read; one line ending at the end is not part of it.
    pub fn new(bytes: &[u8]) -> Result<Self, PassphraseError> {
        let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line.len() {
            0 => Err(PassphraseError::Empty),
            1..=PASSPHRASE_BYTES_MAX => Ok(Self(Zeroizing::new(line.to_vec()))),
            _ => Err(PassphraseError::TooLong),
        }
    }

    /// From a file that its owner alone can read.
    pub fn from_file(path: &Path) -> Result<Self, PassphraseError> {
        let told = |error| FileError::reading(path)(error);
        let file = File::open(path).map_err(told)?;
        // Asked of the open file, so that nobody can swap it in between. Pipes (`<(pass show …)`) have no readers by mode.
        let mode = files::exposed_mode(&file).map_err(told)?;
        if mode != 0 && file.metadata().map_err(told)?.is_file() {
            return Err(PassphraseError::Exposed { path: path.to_owned(), mode });
        }
        Self::new(&files::read_open(file, PASSPHRASE_BYTES_MAX + 2).map_err(told)?)
    }

    /// From an inherited file descriptor, for example `--passphrase-fd 3 3<<<…`.
    pub fn from_fd(fd: u32) -> Result<Self, PassphraseError> {
        let path = PathBuf::from(format!("/dev/fd/{fd}"));
        let file = File::open(&path).map_err(FileError::reading(&path))?;
        Self::new(&files::read_open(file, PASSPHRASE_BYTES_MAX + 2).map_err(FileError::reading(&path))?)
    }

    /// Refuses what is too short to protect a new key.
    pub fn check_strength(&self) -> Result<(), PassphraseError> {
        match self.0.len() {
            got if got < PASSPHRASE_BYTES_MIN => Err(PassphraseError::TooShort { got }),
            _ => Ok(()),
        }
    }

    pub(super) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_command_that_mends_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pass");
        std::fs::write(&path, "correct horse\n").unwrap();
        for mode in [0o640, 0o604, 0o620, 0o666] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = Passphrase::from_file(&path).unwrap_err().to_string();
            assert!(error.contains(&format!("chmod 600 {}", path.display())), "{error}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(Passphrase::from_file(&path).unwrap().expose(), b"correct horse");
    }

    #[test]
    fn only_one_line_ending_is_cut_off() {
        assert_eq!(Passphrase::new(b" two words \r\n").unwrap().expose(), b" two words ");
        assert_eq!(Passphrase::new(b"line\n\n").unwrap().expose(), b"line\n");
        assert!(matches!(Passphrase::new(b"\n"), Err(PassphraseError::Empty)));
        assert!(matches!(Passphrase::new(&[b'a'; PASSPHRASE_BYTES_MAX + 1]), Err(PassphraseError::TooLong)));
        assert!(matches!(
            Passphrase::new(b"short").unwrap().check_strength(),
            Err(PassphraseError::TooShort { got: 5 })
        ));
        assert!(!format!("{:?}", Passphrase::new(b"correct horse").unwrap()).contains("horse"));
    }
}
