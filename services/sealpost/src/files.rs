//! Writing files so that whoever is killed half-way leaves the old content or the new, never a part; readable by their
//! owner alone.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

/// What the name of a file begins with until it is complete.
const UNFINISHED: &str = ".unfinished-";

/// Puts `bytes` in the file's place.
///
/// # Errors
/// Those of the operating system; the old content is still there then.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder(path);
    written(folder, bytes)?.persist(path)?;
    sync(folder)
}

/// Makes a new file.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], which leaves that file alone; others of the operating system.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder(path);
    written(folder, bytes)?.persist_noclobber(path)?;
    sync(folder)
}

/// Removes what processes that were killed have left in `folder`. Nobody else may be writing there.
///
/// # Errors
/// Those of the operating system.
pub(crate) fn sweep(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Gives the folder that a file is in.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn written(folder: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Makes new names in a folder durable.
///
/// # Errors
/// Those of the operating system.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_created_once_replaced_at_will_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");

        create(&path, b"one").unwrap();
        assert_eq!(create(&path, b"two").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        replace(&path, b"three").unwrap();

        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn only_unfinished_files_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["kept", ".unfinished-abc"] {
            std::fs::write(folder.path().join(name), b"x").unwrap();
        }

        sweep(folder.path()).unwrap();

        assert!(folder.path().join("kept").exists());
        assert!(!folder.path().join(".unfinished-abc").exists());
    }
}
