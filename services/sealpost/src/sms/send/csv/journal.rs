//! What a run has sent, on disk before it goes out: so that the same command, after whatever ended it, sends the rest.
//!
//! A line of JSON each: how the run began, lines of the file that are about to be sent, lines that were accepted. Only
//! what must never be wrong is synchronized: an `accepted` that a power cut takes away leaves a message in doubt, and
//! that is sent again under its own id, which the gateway knows. There are neither numbers nor texts in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use common::models::UnixMillis;
use serde::{Deserialize, Serialize};

use crate::console::Outcome;
use crate::files;

/// How a run began: what makes its ids, and what must be the same when it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Beginning {
    /// SHA-256 of the file.
    pub(super) file: String,
    /// SHA-256 of what else decides what is sent.
    pub(super) arguments: String,
    /// The deadline of every message.
    pub(super) deadline: String,
    /// The client's last status before the run, over HTTP.
    pub(super) after: Option<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Entry {
    Begun(Beginning),
    Sending(Vec<u64>),
    Accepted(u64, UnixMillis),
}

/// What a journal tells of the time before.
#[derive(Debug, Default)]
pub(super) struct Past {
    pub(super) beginning: Option<Beginning>,
    /// Lines that were accepted, and when.
    pub(super) accepted: BTreeMap<u64, UnixMillis>,
    /// Lines that may have been sent: nobody has written down the answer.
    pub(super) in_doubt: BTreeSet<u64>,
}

/// The journal of a run that is under way, locked for it alone.
pub(super) struct Journal(File);

impl Journal {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// Another process has it; it is no journal; the operating system's errors.
    pub(super) fn open(path: &Path) -> Outcome<(Self, Past)> {
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(format!("{}: the same run is under way already", path.display()).into());
            }
            Err(TryLockError::Error(error)) => return Err(failed(error).into()),
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        let (past, whole) = read(&text)
            .ok_or_else(|| format!("{} is no journal of a run: it is left alone", path.display()))?;
        // Whoever was killed while writing leaves a part of a line.
        file.set_len(whole as u64).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok((Self(file), past))
    }

    /// Writes down how the run begins; durable when it returns.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn begin(&mut self, path: &Path, beginning: Beginning) -> Outcome {
        self.write(&Entry::Begun(beginning))?;
        self.0.sync_all()?;
        Ok(files::sync(files::folder(path))?)
    }

    /// Writes down which lines are about to be sent; durable when it returns.
    ///
    /// # Errors
    /// The operating system's: then nothing may be sent.
    pub(super) fn sending(&mut self, lines: Vec<u64>) -> Outcome {
        self.write(&Entry::Sending(lines))?;
        Ok(self.0.sync_data()?)
    }

    /// Writes down that a line was accepted.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn accepted(&mut self, line: u64, at: UnixMillis) -> Outcome {
        self.write(&Entry::Accepted(line, at))
    }

    /// One call to the system, so that a line is not torn but by a power cut.
    fn write(&mut self, entry: &Entry) -> Outcome {
        Ok(self.0.write_all(format!("{}\n", serde_json::to_string(entry)?).as_bytes())?)
    }
}

/// Reads the entries, and how far they go; `None` for what no run has written.
fn read(text: &str) -> Option<(Past, usize)> {
    let mut past = Past::default();
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    // What is there without a whole line was begun to be written, or is somebody else's.
    if whole == 0 && !"{\"begun\":".starts_with(text.get(..9).unwrap_or(text)) {
        return None;
    }
    for line in text.get(..whole)?.lines() {
        match (serde_json::from_str(line).ok()?, &past.beginning) {
            (Entry::Begun(beginning), None) => past.beginning = Some(beginning),
            (Entry::Sending(lines), Some(_)) => past.in_doubt.extend(lines),
            (Entry::Accepted(line, at), Some(_)) => {
                past.accepted.insert(line, at);
            }
            _ => return None,
        }
    }
    past.in_doubt.retain(|line| !past.accepted.contains_key(line));
    Some((past, whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beginning() -> Beginning {
        let text = |text: &str| text.to_owned();
        Beginning { file: text("f"), arguments: text("a"), deadline: text("d"), after: Some(7) }
    }

    /// A journal of a run with one line accepted and one in doubt.
    fn written(path: &Path) -> String {
        let (mut journal, past) = Journal::open(path).unwrap();
        assert_eq!(past.beginning, None);
        journal.begin(path, beginning()).unwrap();
        journal.sending(vec![2, 3]).unwrap();
        journal.accepted(2, UnixMillis(5)).unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn after_any_cut_what_is_told_was_true() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let text = written(&path);
        let sending = text.find("{\"sending").unwrap();

        for cut in 0..=text.len() {
            std::fs::write(&path, &text[..cut]).unwrap();
            let (mut journal, past) = Journal::open(&path).unwrap();

            assert_eq!(past.beginning.is_some(), cut >= sending, "{cut}");
            assert!(past.accepted.keys().all(|line| *line == 2) && !past.in_doubt.contains(&4));
            if past.beginning.is_some() {
                journal.sending(vec![4]).unwrap();
                drop(journal);
                assert!(Journal::open(&path).unwrap().1.in_doubt.contains(&4), "{cut}");
            }
        }
    }

    #[test]
    fn a_whole_one_tells_what_was_accepted_and_what_is_in_doubt() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        written(&path);

        let (_, past) = Journal::open(&path).unwrap();

        assert_eq!(past.beginning, Some(beginning()));
        assert_eq!(past.accepted, BTreeMap::from([(2, UnixMillis(5))]));
        assert_eq!(past.in_doubt, BTreeSet::from([3]));
    }

    #[test]
    fn one_run_has_it_and_a_file_of_others_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let _held = Journal::open(&path).unwrap();
        let other = folder.path().join("other");

        assert!(Journal::open(&path).err().unwrap().to_string().contains("under way"));
        for text in ["number,name\n+1,a\n", "no line", "{\"accepted\":[2,5]}\n"] {
            std::fs::write(&other, text).unwrap();
            assert!(Journal::open(&other).err().unwrap().to_string().contains("no journal"), "{text}");
            assert_eq!(std::fs::read_to_string(&other).unwrap(), text);
        }
    }
}
