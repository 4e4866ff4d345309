//! Listens to `sms-status`, and counts what each record came to.

use std::time::Duration;

use bus::{Bus, Consumer, Event};
use common::models::sms::{SmsState, SmsStatus};
use tokio::time::{Instant, timeout};

use super::records::number;
use crate::error::BenchError;
use crate::report::{mebibytes, progress};

/// Without a new status for this long, the bench has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often progress is told.
const TELL: Duration = Duration::from_secs(5);

/// Records of one read.
const PAGE: usize = 1000;

/// The topic; outlives the batches.
pub(super) struct Listener {
    consumer: Box<dyn Consumer>,
}

/// What has come of one batch.
pub(super) struct Statuses<'a> {
    consumer: &'a mut dyn Consumer,
    name: &'static str,
    sent: Seen,
    delivered: Seen,
    repeated: u64,
}

/// Which records had a status: an octet each, so that a long run needs little memory.
#[derive(Default)]
struct Seen {
    records: Vec<bool>,
    count: usize,
}

impl Seen {
    /// Notes a record; tells whether it is new.
    fn insert(&mut self, number: usize) -> bool {
        if self.records.len() <= number {
            self.records.resize(number + 1, false);
        }
        let new = self.records.get_mut(number).is_some_and(|seen| !std::mem::replace(seen, true));
        self.count += usize::from(new);
        new
    }
}

impl Listener {
    /// Listens from the beginning of the topic.
    ///
    /// # Errors
    /// When the consumer cannot be made.
    pub(super) fn open(bus: &Bus, topic: &str) -> Result<Self, BenchError> {
        Ok(Self { consumer: bus.consumer("bench-statuses", &[topic])? })
    }

    /// Begins to count for a batch.
    pub(super) fn begin(&mut self, name: &'static str) -> Statuses<'_> {
        Statuses {
            consumer: &mut *self.consumer,
            name,
            sent: Seen::default(),
            delivered: Seen::default(),
            repeated: 0,
        }
    }
}

impl Statuses<'_> {
    /// Waits until each of the batch's `count` records was SENT, and DELIVERED if there are receipts. Meanwhile tells how
    /// far it is, and how much memory the gateway has: `resident`.
    ///
    /// # Errors
    /// Any other status, or none for a minute.
    pub(super) async fn wait(
        &mut self,
        count: usize,
        receipts: bool,
        resident: impl Fn() -> Result<u64, BenchError>,
    ) -> Result<(), BenchError> {
        let mut told = Instant::now();
        loop {
            if self.sent.count >= count && (self.delivered.count >= count || !receipts) {
                return Ok(());
            }
            let event = timeout(PATIENCE, self.consumer.next(PAGE)).await.map_err(|_| {
                let (sent, delivered) = (self.sent.count, self.delivered.count);
                let what =
                    format!("no status for {PATIENCE:?}; of {count} {sent} are SENT, {delivered} DELIVERED");
                BenchError::unexpected(what)
            })?;
            if let Event::Records(records) = event? {
                for record in records {
                    let status = serde_json::from_slice(record.bytes());
                    self.note(&status.map_err(|error| BenchError::of("a status", error))?)?;
                }
            }
            if told.elapsed() > TELL {
                told = Instant::now();
                let (sent, delivered) = (self.sent.count, self.delivered.count);
                let resident = mebibytes(resident()?);
                progress(&format!("{sent} SENT, {delivered} DELIVERED; gateway: {resident} MiB resident"));
            }
        }
    }

    /// Statuses that were there already.
    pub(super) fn repeated(&self) -> u64 {
        self.repeated
    }

    fn note(&mut self, status: &SmsStatus) -> Result<(), BenchError> {
        // Of the batch before: a repetition.
        let Some(number) = number(self.name, status.correl_id.as_str()) else { return Ok(()) };
        let new = match status.sms_status {
            SmsState::Sent => self.sent.insert(number),
            SmsState::Delivered => self.delivered.insert(number),
            other => {
                let why = status.error_text.as_deref().unwrap_or_default();
                return Err(BenchError::unexpected(format!("record {number} is {}: {why}", other.as_str())));
            }
        };
        self.repeated += u64::from(!new);
        Ok(())
    }
}
