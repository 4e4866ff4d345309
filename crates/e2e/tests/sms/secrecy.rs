//! What must be in no log and no metric.

use testkit::host::{ADMIN_TOKEN, INTERNAL_TOKEN};
use testkit::program::Program;

use crate::world::{KEY, SMSC_PASSWORD, VAULT_PASSWORD};

/// Part of every text that is sent, and of nothing else.
pub(crate) const WHISPER: &str = "whispered";
/// Begins every recipient's number, and nothing else: `+25571948` and four digits.
pub(crate) const NUMBERS: &str = "25571948";
/// The recipient of every row of the contract's tables.
const NUMBER: &str = "255123456789";

/// Checks all that the program has written so far, and its metrics.
pub(crate) async fn assert_discreet(program: &Program) {
    let (log, metrics) = (program.log(), program.metric_names().await);
    assert!(log.contains("ready http="), "this is no log");
    assert!(metrics.contains("sealpost_sms_opened_total"), "these are no metrics: {metrics}");
    for secret in [WHISPER, NUMBERS, NUMBER, KEY, SMSC_PASSWORD, VAULT_PASSWORD, INTERNAL_TOKEN, ADMIN_TOKEN]
    {
        for (place, text) in [("the log", &log), ("the metrics", &metrics)] {
            let line = text.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{place} tells {secret:?}");
        }
    }
}
