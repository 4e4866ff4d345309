//! Folders that are complete or not there.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::backup::make_folder;
use crate::console::Outcome;
use crate::files;

/// What the names of such folders begin with.
const PREFIX: &str = ".unfinished-";

/// A folder that goes away unless it is finished.
pub(crate) struct Unfinished {
    folder: TempDir,
    target: PathBuf,
    /// The target is there and stays; what is in the folder takes its place within.
    is_inside: bool,
}

impl Unfinished {
    /// Makes one beside `target`, which is not there or an empty folder, so that it can take its name at once. A target that
    /// cannot make room, as it is a mount or as its folder is another's, gets it inside.
    ///
    /// # Errors
    /// Those of the operating system, with the folder.
    pub(crate) fn of(target: &Path) -> Outcome<Self> {
        let target = match target.canonicalize() {
            Ok(target) => target,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !target.is_symlink() => {
                target.to_owned()
            }
            Err(error) => return Err(format!("{}: {error}", target.display()).into()),
        };
        // Nothing else tells whether a folder can be renamed to that name in the end, a bind mount least of all.
        let again = |()| make_folder(&target);
        let is_inside = target.is_dir() && std::fs::remove_dir(&target).and_then(again).is_err();
        let folder = if is_inside { &*target } else { files::folder(&target) };
        let owner_alone = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        let made = tempfile::Builder::new().prefix(PREFIX).permissions(owner_alone).tempdir_in(folder);
        let made = made.map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self { folder: made, target, is_inside })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// From here on it stays, finished or not.
    pub(crate) fn outlive(&mut self) {
        self.folder.disable_cleanup(true);
    }

    /// Gives it its name; one that is taken by more than an empty folder stays as it is.
    ///
    /// # Errors
    /// Those of the operating system.
    pub(crate) fn keep(mut self) -> Outcome {
        let (from, target) = (self.folder.path(), &self.target);
        let told = |error: std::io::Error| format!("{}: {error}", target.display());
        for folder in std::fs::read_dir(from)?.flatten().filter(|entry| entry.path().is_dir()) {
            files::sync(&folder.path())?;
        }
        files::sync(from)?;
        if self.is_inside {
            for entry in std::fs::read_dir(from)? {
                let entry = entry?;
                std::fs::rename(entry.path(), target.join(entry.file_name())).map_err(told)?;
            }
            files::sync(target)?;
            std::fs::remove_dir(from)?;
        } else {
            std::fs::rename(from, target).map_err(told)?;
            files::sync(files::folder(target))?;
        }
        // There is nothing left to remove.
        self.outlive();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn filled(unfinished: &Unfinished) {
        std::fs::create_dir(unfinished.path().join("secrets")).unwrap();
        std::fs::write(unfinished.path().join("secrets/key"), b"x").unwrap();
        std::fs::write(unfinished.path().join("auth.sqlite"), b"x").unwrap();
    }

    #[test]
    fn a_target_that_stays_is_filled_where_it_is() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().to_owned();
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&target).unwrap();
        let mut unfinished = Unfinished { folder, target, is_inside: true };
        filled(&unfinished);
        unfinished.outlive();

        unfinished.keep().unwrap();

        assert_eq!(names(place.path()), ["auth.sqlite", "secrets"]);
        assert!(place.path().join("secrets/key").exists());
    }

    #[test]
    fn a_link_leads_to_what_is_made() {
        let place = tempfile::tempdir().unwrap();
        let (target, link) = (place.path().join("private"), place.path().join("data"));
        std::fs::create_dir(&target).unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();

        let unfinished = Unfinished::of(&link).unwrap();
        filled(&unfinished);
        unfinished.keep().unwrap();

        assert!(link.is_symlink());
        assert_eq!(names(&link), ["auth.sqlite", "secrets"]);
        assert_eq!(names(place.path()), ["data", "private"]);
    }

    #[test]
    fn what_outlives_is_there_when_its_name_is_taken() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("data");
        let mut unfinished = Unfinished::of(&target).unwrap();
        filled(&unfinished);
        let path = unfinished.path().to_owned();
        std::fs::write(&target, b"somebody else's").unwrap();

        unfinished.outlive();
        let taken = unfinished.keep();

        assert!(taken.is_err());
        assert_eq!(names(&path), ["auth.sqlite", "secrets"]);
    }
}
