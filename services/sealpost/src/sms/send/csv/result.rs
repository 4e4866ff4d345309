//! The result file: a row for each message, always whole, replaced while the run goes on.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::models::UnixMillis;
use common::models::sms::{SmsState, SmsStatus};
use tokio::time::Instant;

use super::plan::Planned;
use crate::console::Outcome;
use crate::files;

/// How old the file may be while there is news.
const EVERY: Duration = Duration::from_secs(2);
/// Writing takes one part of so many of the time, at most: big files are replaced less often.
const SHARE: u32 = 20;

/// How far a message is.
#[derive(Clone, Default)]
pub(super) struct Progress {
    /// When the gateway or Kafka had it safe.
    pub(super) accepted: Option<UnixMillis>,
    /// Whether it may have been sent before the run was interrupted.
    pub(super) in_doubt: bool,
    /// Its status that counts.
    pub(super) status: Option<SmsStatus>,
}

impl Progress {
    /// Takes a status, unless a better one is known: they come in any order, and repeatedly. Tells whether it counts.
    pub(super) fn hear(&mut self, status: SmsStatus) -> bool {
        let rank = |status: &SmsStatus| match status.sms_status {
            SmsState::Sent => 0,
            SmsState::Expired | SmsState::Invalid | SmsState::Failed => 1,
            // A receipt that comes late corrects a failure.
            SmsState::Delivered => 2,
        };
        let counts = self.status.as_ref().is_none_or(|known| rank(&status) > rank(known));
        if counts {
            self.status = Some(status);
        }
        counts
    }

    /// Tells whether it need not be sent.
    pub(super) fn is_sent(&self) -> bool {
        self.accepted.is_some() || self.status.is_some()
    }

    /// Tells whether nothing more is waited for.
    pub(super) fn is_over(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.sms_status != SmsState::Sent)
    }

    fn word(&self) -> &'static str {
        match &self.status {
            Some(status) => status.sms_status.as_str(),
            None if self.accepted.is_some() => "accepted",
            None if self.in_doubt => "in doubt",
            None => "not sent",
        }
    }
}

/// The file, and when it was written.
pub(super) struct ResultFile {
    path: PathBuf,
    full_numbers: bool,
    due: Instant,
}

impl ResultFile {
    pub(super) fn new(path: PathBuf, full_numbers: bool) -> Self {
        Self { path, full_numbers, due: Instant::now() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives when it is time to write it again.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Puts a new file in the place of the old one.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn write<'a>(&mut self, rows: impl Iterator<Item = Written<'a>>) -> Outcome {
        let begun = Instant::now();
        let failed = |error: std::io::Error| format!("{}: {error}", self.path.display());
        // Of this name and no other: the journal's lock says that nobody else writes it, and a kill leaves one at most.
        let mut unfinished = OsString::from(&self.path);
        unfinished.push(".unfinished");
        let mut file = File::options();
        let mut file =
            file.write(true).create(true).truncate(true).mode(0o600).open(&unfinished).map_err(failed)?;
        file.write_all(&self.table(rows)?).and_then(|()| file.sync_all()).map_err(failed)?;
        std::fs::rename(&unfinished, &self.path).map_err(failed)?;
        files::sync(files::folder(&self.path)).map_err(failed)?;
        self.due = Instant::now() + EVERY.max(begun.elapsed() * SHARE);
        Ok(())
    }

    fn table<'a>(&self, rows: impl Iterator<Item = Written<'a>>) -> Outcome<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record([
            "line",
            "number",
            "correl-id",
            "status",
            "recall-id",
            "error",
            "accepted-at",
            "status-at",
        ])?;
        for (message, correl_id, progress) in rows {
            let number =
                if self.full_numbers { message.number.as_str().to_owned() } else { message.number.masked() };
            let text = |field: fn(&SmsStatus) -> Option<&str>| progress.status.as_ref().and_then(field);
            let time = |at: Option<UnixMillis>| at.map(UnixMillis::to_rfc3339_seconds).unwrap_or_default();
            writer.write_record([
                message.line.to_string().as_str(),
                &number,
                &correl_id,
                progress.word(),
                text(|status| status.recall_id.as_deref()).unwrap_or_default(),
                text(|status| status.error_text.as_deref()).unwrap_or_default(),
                &time(progress.accepted),
                &time(progress.status.as_ref().map(|status| status.timestamp)),
            ])?;
        }
        Ok(writer.into_inner().map_err(csv::IntoInnerError::into_error)?)
    }
}

/// A message, its correl-id, and how far it is.
pub(super) type Written<'a> = (&'a Planned, String, &'a Progress);

#[cfg(test)]
mod tests {
    use super::*;

    fn status(sms_status: SmsState) -> SmsStatus {
        SmsStatus {
            client_id: "demo".into(),
            correl_id: "C1".into(),
            timestamp: UnixMillis(0),
            sms_status,
            recall_id: None,
            error_text: None,
            simulated: false,
            possible_duplicate: false,
        }
    }

    #[test]
    fn statuses_count_in_whatever_order_they_come() {
        use SmsState::{Delivered, Failed, Sent};

        for (heard, expected) in [
            (vec![Sent, Delivered, Sent], "DELIVERED"),
            (vec![Delivered, Sent], "DELIVERED"),
            (vec![Sent, Failed, Sent], "FAILED"),
            (vec![Sent, Failed, Delivered, Failed], "DELIVERED"),
            (vec![], "not sent"),
        ] {
            let mut progress = Progress::default();

            for state in &heard {
                progress.hear(status(*state));
            }

            assert_eq!(progress.word(), expected, "{heard:?}");
        }
    }
}
