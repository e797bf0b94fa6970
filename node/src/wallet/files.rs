//! Private files: written whole or not at all, readable by their owner alone, read with a limit.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A failure of the disk or of permissions, with the file it struck.
#[derive(Debug, thiserror::Error)]
#[error("cannot {} {}: {error}{}", if *writing { "write" } else { "read" }, path.display(), hint(error))]
pub struct FileError {
    /// Which file.
    pub path: PathBuf,
    /// Whether it was to be written.
    pub writing: bool,
    /// What the system said.
    pub error: io::Error,
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "; check the path",
        io::ErrorKind::PermissionDenied => "; check who owns the file and its folder (ls -ld)",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; free some space, nothing was changed",
        io::ErrorKind::ReadOnlyFilesystem => "; choose a folder that can be written",
        _ => "",
    }
}

impl FileError {
    /// For `map_err`: a failure to read this file.
    pub fn reading(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self { path, writing: false, error }
    }

    /// For `map_err`: a failure to write this file.
    pub fn writing(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self { path, writing: true, error }
    }
}

/// Reads a file of at most `limit` bytes; a longer one is refused after `limit` + 1, whatever its stated length.
pub fn read_limited(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let file = File::open(path).map_err(FileError::reading(path))?;
    read_open(file, limit).map_err(FileError::reading(path))
}

/// Reads what is left of an open file, within the limit. The buffer never grows, so no copy of a secret is left behind.
pub(super) fn read_open(file: File, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    // A pipe states no length; what states one is read into a buffer of that length.
    let stated = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let room = if file.metadata()?.is_file() { stated.min(limit) } else { limit.min(64 * 1024) };
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
    file.take(most).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        let what = format!("longer than {limit} bytes, the most that is read here");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

/// Writes a file of mode 0600 so that a crash at any instruction leaves the old file or the new one, never a mixture:
/// a temporary file beside it, fsync, rename, fsync of the folder. Missing folders are made, with mode 0700.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".tmp");
    let temporary = folder.join(name);
    let done = (|| {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        // Left over from a crash: made anew, so that its permissions are ours.
        match fs::remove_file(&temporary) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(folder)?.sync_all()
    })();
    if done.is_err() {
        // What failed is told; that the remains could not be removed either adds nothing.
        let _ = fs::remove_file(&temporary);
    }
    done.map_err(FileError::writing(path))
}

/// Permission bits of an open file that let others than its owner in; 0 if there are none.
pub(super) fn exposed_mode(file: &File) -> io::Result<u32> {
    let mode: Permissions = file.metadata()?.permissions();
    Ok(if mode.mode() & 0o077 == 0 { 0 } else { mode.mode() & 0o777 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_file_is_its_owners_alone_and_replaces_the_old_one_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/file");
        write_private(&path, b"old").unwrap();
        fs::write(dir.path().join("deep/er/.file.tmp"), b"left by a crash").unwrap();
        write_private(&path, b"new").unwrap();
        assert_eq!(read_limited(&path, 3).unwrap().as_slice(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(dir.path().join("deep")).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(dir.path().join("deep/er")).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write_private(&path, b"old").unwrap();
        // A folder in the temporary file's place makes the write fail, whoever runs the test.
        fs::create_dir(dir.path().join(".file.tmp")).unwrap();
        let error = write_private(&path, b"new").unwrap_err();
        assert!(error.to_string().contains("file"), "{error}");
        assert_eq!(read_limited(&path, 3).unwrap().as_slice(), b"old");
    }

    #[test]
    fn a_file_above_the_limit_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, b"1234").unwrap();
        assert!(read_limited(&path, 4).is_ok());
        assert!(read_limited(&path, 3).unwrap_err().to_string().contains("longer than 3 bytes"));
        assert!(read_limited(&dir.path().join("absent"), 3).unwrap_err().to_string().contains("check the path"));
    }
}
