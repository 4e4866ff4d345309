//! The client log: one file per client, one line per status (spec §12). It never holds anything up and never changes a
//! status: what cannot be written is counted and left out.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use common::models::sms::{ClientId, SmsStatus};
use tokio::sync::mpsc;

use crate::metrics::Metrics;

/// Lines that may wait.
const QUEUE: usize = 4096;

/// The handle on the writing thread, which ends when it is dropped.
pub(crate) struct ClientLog {
    lines: mpsc::Sender<SmsStatus>,
    clients: HashSet<ClientId>,
    metrics: Metrics,
}

impl ClientLog {
    /// Makes the folder, and starts the thread. Only `clients` get files, and of them only those whose name is safe as a
    /// file's.
    ///
    /// # Errors
    /// When there can be no such folder, or the system gives no thread.
    pub(crate) fn spawn(
        dir: PathBuf,
        clients: &[ClientId],
        metrics: Metrics,
    ) -> Result<Self, std::io::Error> {
        std::fs::create_dir_all(&dir)?;
        let (lines, mut queue) = mpsc::channel::<SmsStatus>(QUEUE);
        let lost = metrics.client_log_lost_total.clone();
        std::thread::Builder::new().name("sms-client-log".into()).spawn(move || {
            while let Some(status) = queue.blocking_recv() {
                if let Err(error) = append(&dir, &status) {
                    lost.inc();
                    tracing::warn!(error = %error.kind(), "a line of a client log was not written");
                }
            }
        })?;
        let clients = clients.iter().filter(|client| is_file_name(client.as_str())).cloned().collect();
        Ok(Self { lines, clients, metrics })
    }

    /// Tells whether a client has a file.
    pub(crate) fn takes(&self, client: &ClientId) -> bool {
        self.clients.contains(client)
    }

    /// Queues the line of a status.
    pub(crate) fn write(&self, status: SmsStatus) {
        if self.takes(&status.client_id) && self.lines.try_send(status).is_err() {
            self.metrics.client_log_lost_total.inc();
        }
    }
}

/// Letters, digits, `.`, `_`, `-`, and no dot first: nothing that leads out of the folder or hides.
fn is_file_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(allowed)
}

fn append(dir: &Path, status: &SmsStatus) -> std::io::Result<()> {
    let path = dir.join(format!("{}.log", status.client_id));
    OpenOptions::new().create(true).append(true).open(path)?.write_all(line(status).as_bytes())
}

fn line(status: &SmsStatus) -> String {
    let fields = [
        status.timestamp.to_rfc3339_seconds(),
        escape(status.client_id.as_str()),
        escape(status.correl_id.as_str()),
        status.sms_status.to_string(),
        escape(status.recall_id.as_deref().unwrap_or_default()),
        escape(status.error_text.as_deref().unwrap_or_default()),
    ];
    fields.join("\t") + "\n"
}

/// Keeps a field on its line and in its column.
fn escape(field: &str) -> String {
    let mut escaped = String::with_capacity(field.len());
    for character in field.chars() {
        match character {
            '\\' | '\t' | '\n' | '\r' => escaped.extend(character.escape_default()),
            control if control.is_control() => escaped.extend(control.escape_unicode()),
            plain => escaped.push(plain),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use common::models::UnixMillis;
    use common::models::sms::SmsState;

    use super::*;

    fn status() -> SmsStatus {
        SmsStatus {
            client_id: "acme".into(),
            correl_id: "a\tb\n\\c".into(),
            timestamp: UnixMillis(1_707_568_496_999),
            sms_status: SmsState::Sent,
            recall_id: None,
            error_text: Some("why".into()),
            simulated: false,
            possible_duplicate: false,
        }
    }

    #[test]
    fn a_line_has_six_columns_whatever_the_fields_hold() {
        let line = line(&status());

        assert_eq!(line, "2024-02-10T12:34:56Z\tacme\ta\\tb\\n\\\\c\tSENT\t\twhy\n");
    }

    #[test]
    fn names_that_are_no_file_names_get_no_file() {
        for name in ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "ü", &"x".repeat(65)] {
            assert!(!is_file_name(name), "{name}");
        }
        assert!(is_file_name("acme-1.test_2"));
    }
}
