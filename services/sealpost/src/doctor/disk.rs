//! Room for a standalone's data.

use std::path::Path;

use rustix::fs::statvfs;

use super::Finding;

/// Below so much SQLite and its journals may soon find no room: mailboxes may hold 64 MiB each.
const LOW_BYTES: u64 = 1024 * 1024 * 1024;
/// Below so much a commit of the next seconds may fail.
const FULL_BYTES: u64 = 64 * 1024 * 1024;

/// Looks at the file system of the data directory.
pub(super) fn examine(data_dir: &Path) -> Option<Finding> {
    let found = statvfs(data_dir).ok()?;
    Some(space(data_dir, found.f_bavail.saturating_mul(found.f_frsize)))
}

fn space(data_dir: &Path, free: u64) -> Finding {
    const ADVICE: &str = "make room, or move the data directory: nothing can be stored on a full disk, and every send is \
                          refused";
    let says = format!("{}: {} MiB are free", data_dir.display(), free / (1024 * 1024));
    match free {
        ..FULL_BYTES => Finding::failed("disk", says, ADVICE),
        FULL_BYTES..LOW_BYTES => Finding::warning("disk", says, ADVICE),
        _ => Finding::ok("disk", says),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_disk_is_looked_at_before_it_is_full() {
        let state = |free| space(Path::new("data"), free).state;

        assert_eq!((state(LOW_BYTES), state(LOW_BYTES - 1)), (State::Ok, State::Warning));
        assert_eq!((state(FULL_BYTES), state(FULL_BYTES - 1)), (State::Warning, State::Failed));
    }

    #[test]
    fn the_free_space_of_a_folder_is_known_and_that_of_none_is_not() {
        let folder = tempfile::tempdir().unwrap();

        assert_eq!(examine(folder.path()).unwrap().check, "disk");
        assert_eq!(examine(&folder.path().join("none")), None);
    }
}
