//! The data directory, and the lock by which one process has it to itself.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

const LOCK: &str = "sealpost.lock";

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataDirError {
    /// Another process has it.
    #[error(
        "{} is in use by another sealpost (process {process}): stop that one first, or give this one another --data-dir",
        path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// What the other process has written down about itself.
        process: String,
    },
    /// It cannot be made, read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was being used.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// A data directory that is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Where files go unless told otherwise.
    pub(crate) const DEFAULT: &str = "sealpost-data";

    /// Makes the directory, for its owner alone, unless it is there, and locks it.
    ///
    /// # Errors
    /// [`DataDirError`].
    pub(crate) fn open(path: &Path) -> Result<Self, DataDirError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| DataDirError::Io { path, source }
        };
        make(path).map_err(failed(path))?;
        let path = path.canonicalize().map_err(failed(path))?;
        let lock = path.join(LOCK);
        let mut file = File::options()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&lock)
            .map_err(failed(&lock))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let process = std::fs::read_to_string(&lock).unwrap_or_default();
                return Err(DataDirError::InUse { path, process: process.trim().to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(failed(&lock)(error)),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed(&lock))?;
        Ok(Self { path, _lock: file })
    }

    /// Its absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes a directory for its owner alone, and those above it; one that is there stays as it is.
pub(crate) fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_user_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");

        let first = DataDir::open(&path).unwrap();
        let second = DataDir::open(&path).unwrap_err().to_string();
        drop(first);

        assert!(second.contains(&format!("process {}", std::process::id())), "{second}");
        assert!(DataDir::open(&path).is_ok());
    }
}
