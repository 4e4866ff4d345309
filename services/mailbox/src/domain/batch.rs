//! One transaction for all the sends and acks that have gathered.
//!
//! The mailboxes involved are locked and read at once, the jobs are judged one after the other against them in memory,
//! and what came of it is written at once. So a `seq` is given under the lock of its mailbox and has no gaps, and the
//! number of statements does not depend on the number of jobs.

mod plain;
mod sends;
mod table;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use common::models::{AccountId, SharedClock};
use db::{Backend, Batcher, BatcherSettings, Db, DbConn, DbError};

use self::sends::Sends;
use self::table::Table;
use super::error::MailboxError;
use super::ids::MailboxId;
use super::send::{Send, Sent};
use crate::metrics::Metrics;
use crate::settings::MailboxSettings;
use crate::store::rows::EnvelopeKey;
use crate::store::{envelopes, mailboxes};

/// What can share a transaction.
#[derive(Debug)]
pub(crate) enum Job {
    /// Store one envelope for each device of an account.
    Send(Arc<Send>),
    /// Remove a mailbox's envelopes up to a `seq`.
    AckThrough(MailboxId, i64),
    /// Remove single envelopes, of one mailbox or of several.
    Remove(Vec<EnvelopeKey>),
}

impl Job {
    fn accounts(&self, into: &mut BTreeSet<AccountId>) {
        match self {
            Self::Send(send) => {
                into.insert(send.recipient);
            }
            Self::AckThrough(id, _) => {
                into.insert(id.account);
            }
            Self::Remove(keys) => into.extend(keys.iter().map(|key| key.mailbox.account)),
        }
    }
}

/// What became of a job.
enum Done {
    Sent(Sent),
    /// How many of the envelopes were still there.
    Removed(u64),
}

type Verdict = Result<Done, MailboxError>;

/// The writers of envelopes in this process. Clones share them.
#[derive(Clone)]
pub(crate) struct Writer {
    batcher: Batcher<Job, Verdict, MailboxError>,
    /// The short way, on PostgreSQL: SQLite has no round trips to save.
    plain: Option<Batcher<Arc<Send>, Option<Sent>, MailboxError>>,
    metrics: Metrics,
}

impl Writer {
    /// Starts the writer.
    ///
    /// # Errors
    /// [`DbError::Other`] when the system gives no thread.
    pub(crate) fn start(db: &Db, rules: Rules) -> Result<Self, DbError> {
        let metrics = rules.metrics.clone();
        let settings = BatcherSettings {
            name: "mailbox-writer",
            max_batch: rules.settings.batch,
            queue: rules.settings.queue,
        };
        let rules = Arc::new(rules);
        let plain = match db.backend() {
            Backend::Postgres => {
                let (rules, settings) =
                    (rules.clone(), BatcherSettings { name: "mailbox-sends", ..settings });
                let store = move |conn: &mut DbConn, sends: &[Arc<Send>]| plain::store(&rules, conn, sends);
                Some(Batcher::spawn_where(db, settings, |_| true, store)?)
            }
            Backend::Sqlite => None,
        };
        let batcher = Batcher::spawn(db, settings, move |conn, jobs: &[Job]| rules.carry_out(conn, jobs))?;
        Ok(Self { batcher, plain, metrics })
    }

    /// Stores a send.
    pub(crate) async fn send(&self, send: Arc<Send>) -> Result<Sent, MailboxError> {
        if let Some(plain) = &self.plain {
            let sent = plain.submit(send.clone()).await;
            self.count_queued();
            match sent {
                Ok(Some(sent)) => return Ok(sent),
                // Another process has stored its key meanwhile: its answer is looked up, or the key refused.
                Ok(None) | Err(MailboxError::Db(DbError::UniqueViolation { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        self.metrics.sends_decided_total.inc();
        match self.submit(Job::Send(send)).await? {
            Done::Sent(sent) => Ok(sent),
            Done::Removed(_) => Err(DbError::other("a send was answered as an ack").into()),
        }
    }

    /// Removes envelopes, and returns how many were still there.
    pub(crate) async fn remove(&self, job: Job) -> Result<u64, MailboxError> {
        match self.submit(job).await? {
            Done::Removed(count) => Ok(count),
            Done::Sent(_) => Err(DbError::other("an ack was answered as a send").into()),
        }
    }

    async fn submit(&self, job: Job) -> Verdict {
        let done = self.batcher.submit(job).await;
        self.count_queued();
        done?
    }

    fn count_queued(&self) {
        let queued = self.batcher.queued() + self.plain.as_ref().map_or(0, Batcher::queued);
        self.metrics.queued_jobs.set(i64::try_from(queued).unwrap_or(i64::MAX));
    }
}

/// What jobs are judged by.
pub(crate) struct Rules {
    pub(crate) settings: Arc<MailboxSettings>,
    pub(crate) clock: SharedClock,
    pub(crate) metrics: Metrics,
}

impl Rules {
    fn carry_out(&self, conn: &mut DbConn, jobs: &[Job]) -> Result<Vec<Verdict>, MailboxError> {
        let now = self.clock.now();
        let mut accounts = BTreeSet::new();
        jobs.iter().for_each(|job| job.accounts(&mut accounts));
        let accounts: Vec<AccountId> = accounts.into_iter().collect();
        let mut table = Table::of(mailboxes::lock(conn, &accounts)?);

        // Acks first: what they free is room for the sends.
        let mut verdicts = remove(conn, jobs, &mut table)?;
        let mut sends = Sends::begin(self, conn, jobs, &table, now)?;
        for (job, verdict) in jobs.iter().zip(&mut verdicts) {
            if let Job::Send(send) = job {
                *verdict = Some(sends.judge(send, &mut table)?.map(Done::Sent));
            }
        }
        sends.write(conn, &table)?;
        self.metrics.batch_jobs.observe(jobs.len() as f64);
        Ok(verdicts.into_iter().flatten().collect())
    }
}

/// Carries out the acks, and leaves the verdicts of sends open.
fn remove(conn: &mut DbConn, jobs: &[Job], table: &mut Table) -> Result<Vec<Option<Verdict>>, MailboxError> {
    let (mut ends, mut single) = (Vec::new(), Vec::new());
    let mut verdicts: Vec<Option<Verdict>> = Vec::with_capacity(jobs.len());
    for job in jobs {
        verdicts.push(match job {
            Job::Send(_) => None,
            Job::AckThrough(id, through) => Some(table.may_ack(*id, *through).map(|()| {
                ends.push((*id, *through));
                Done::Removed(0)
            })),
            Job::Remove(keys) => {
                single.extend_from_slice(keys);
                Some(Ok(Done::Removed(0)))
            }
        });
    }
    let mut removed = envelopes::remove_through(conn, &ends)?;
    removed.append(&mut envelopes::remove_these(conn, &single)?);
    removed.iter().for_each(|row| table.removed(row));
    let mut counts: HashMap<MailboxId, u64> = HashMap::new();
    for row in &removed {
        *counts.entry(row.mailbox).or_default() += 1;
    }
    // Where two jobs are about one mailbox, the first is taken to have removed all: only counters see it.
    for (job, verdict) in jobs.iter().zip(&mut verdicts) {
        let mut take = |id: &MailboxId| counts.remove(id).unwrap_or(0);
        if let Some(Ok(Done::Removed(count))) = verdict {
            *count = match job {
                Job::AckThrough(id, _) => take(id),
                Job::Remove(keys) => keys.iter().map(|key| take(&key.mailbox)).sum(),
                Job::Send(_) => 0,
            };
        }
    }
    Ok(verdicts)
}
