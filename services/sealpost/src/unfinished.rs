//! Folders that are complete or not there.

use std::path::Path;

use crate::console::Outcome;
use crate::files;

/// A folder that goes away unless it is finished.
pub(crate) struct Unfinished(tempfile::TempDir);

impl Unfinished {
    /// Makes one in the folder that `target` is to be in, so that it can take its name at once.
    ///
    /// # Errors
    /// Those of the operating system, with the folder.
    pub(crate) fn beside(target: &Path) -> Outcome<Self> {
        let folder = files::folder(target);
        let owner_alone = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        let made =
            tempfile::Builder::new().prefix(".unfinished-").permissions(owner_alone).tempdir_in(folder);
        Ok(Self(made.map_err(|error| format!("{}: {error}", folder.display()))?))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Gives it its name; one that is taken by more than an empty folder stays as it is.
    ///
    /// # Errors
    /// Those of the operating system.
    pub(crate) fn keep_as(self, target: &Path) -> Outcome {
        for folder in std::fs::read_dir(self.path())?.flatten().filter(|entry| entry.path().is_dir()) {
            files::sync(&folder.path())?;
        }
        files::sync(self.path())?;
        std::fs::rename(self.path(), target).map_err(|error| format!("{}: {error}", target.display()))?;
        // There is nothing left to remove.
        let _ = self.0.keep();
        Ok(files::sync(files::folder(target))?)
    }
}
