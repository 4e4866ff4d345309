//! Who has the websocket of each mailbox, in all processes: kept in the mailbox's row, so that a sender knows whether
//! anybody listens, and of two connections of a device exactly one is the later.
//!
//! Claims and leavings gather in transactions of their own, apart from sends: a fleet that reconnects must not keep
//! them waiting. A socket that leaves envelopes behind is told of on `mailbox-events`, as its device will not see them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use common::models::events::{MailboxChange, MailboxEvent, PreKeyKind};
use common::models::ws::KeysLow;
use common::models::{Generation, SharedClock};
use db::{Batcher, BatcherSettings, Db, DbConn, DbError};
use uuid::Uuid;

use super::error::MailboxError;
use super::ids::MailboxId;
use crate::settings::MailboxSettings;
use crate::store::rows::SocketRow;
use crate::store::sockets::Claim;
use crate::store::{outbox, sockets};

/// The claims of this process. Clones share them.
#[derive(Clone)]
pub(crate) struct Presence {
    process: Arc<str>,
    batcher: Batcher<Job, Option<SocketRow>, MailboxError>,
}

enum Job {
    Claim(Claim),
    Leave(MailboxId, i64),
}

impl Job {
    fn mailbox(&self) -> MailboxId {
        match self {
            Self::Claim(claim) => claim.mailbox,
            Self::Leave(id, _) => *id,
        }
    }
}

/// What a mailbox is at the moment its device connects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Snapshot {
    /// The life of the device.
    pub(crate) generation: Generation,
    /// The `seq` of the last envelope stored; 0 when there was none ever.
    pub(crate) last_seq: i64,
    /// The number of the claim: whoever has a greater one came later.
    pub(crate) claim: i64,
    /// Which prekeys run out.
    pub(crate) low: [Option<KeysLow>; 2],
}

impl Presence {
    /// Starts the thread that stores claims, under a fresh name for this process.
    ///
    /// # Errors
    /// [`DbError::Other`] when the system gives no thread.
    pub(crate) fn start(db: &Db, settings: &MailboxSettings, clock: SharedClock) -> Result<Self, DbError> {
        let process: Arc<str> = Uuid::now_v7().to_string().into();
        let own = Arc::clone(&process);
        let settings = BatcherSettings {
            name: "mailbox-sockets",
            max_batch: settings.claim_batch,
            queue: settings.claim_queue,
        };
        let work = move |conn: &mut DbConn, jobs: &[Job]| carry_out(conn, jobs, &own, &clock);
        Ok(Self { process, batcher: Batcher::spawn(db, settings, work)? })
    }

    /// The name of this process.
    pub(crate) fn process(&self) -> &Arc<str> {
        &self.process
    }

    /// Claims the socket of a mailbox: whoever had it has it no more.
    ///
    /// # Errors
    /// [`MailboxError::NotFound`], those of the database.
    pub(crate) async fn claim(&self, mailbox: MailboxId) -> Result<Snapshot, MailboxError> {
        let row = self.batcher.submit(Job::Claim(Claim { mailbox, again: None })).await?;
        let row = row.ok_or(MailboxError::NotFound)?;
        let low = |kind, left: Option<i32>| {
            left.map(|left| KeysLow { kind, remaining: u32::try_from(left).unwrap_or(0) })
        };
        Ok(Snapshot {
            generation: row.generation,
            last_seq: row.next_seq - 1,
            claim: row.socket_claim,
            low: [low(PreKeyKind::Ec, row.ec_keys_left), low(PreKeyKind::Pq, row.pq_keys_left)],
        })
    }

    /// Goes on with a claim that others took for dead; `false` when somebody else has claimed the socket since.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn renew(&self, mailbox: MailboxId, claim: i64) -> Result<bool, MailboxError> {
        let row = self.batcher.submit(Job::Claim(Claim { mailbox, again: Some(claim) })).await?;
        Ok(row.is_some())
    }

    /// Ends a claim, unless somebody else has claimed the socket since; tells whether an event of it waits for
    /// publication.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn leave(&self, mailbox: MailboxId, claim: i64) -> Result<bool, MailboxError> {
        let left = self.batcher.submit(Job::Leave(mailbox, claim)).await?;
        Ok(left.is_some_and(|row| row.envelope_count > 0))
    }
}

/// One answer for each job, in order: the mailbox as it was then, if the job changed it.
fn carry_out(
    conn: &mut DbConn,
    jobs: &[Job],
    process: &str,
    clock: &SharedClock,
) -> Result<Vec<Option<SocketRow>>, MailboxError> {
    let claims = jobs.iter().filter(|job| matches!(job, Job::Claim(_))).count();
    if claims > 0 {
        // With the claims, so that there is none whose process nobody looks after.
        sockets::enlist(conn, process, clock.now())?;
    }
    let mailboxes: HashSet<_> = jobs.iter().map(Job::mailbox).collect();
    let is_one_statement = mailboxes.len() == jobs.len() && (claims == 0 || claims == jobs.len());
    if !is_one_statement {
        sockets::lock(conn, &Vec::from_iter(mailboxes))?;
    }
    let mut answers = Vec::with_capacity(jobs.len());
    let mut rest = jobs;
    while !rest.is_empty() {
        // Jobs about one mailbox keep their order: each round ends before a mailbox comes again.
        let mut seen = HashSet::new();
        let count = rest.iter().take_while(|job| seen.insert(job.mailbox())).count();
        let (round, later) = rest.split_at(count);
        answers.append(&mut carry_out_round(conn, round, process, clock)?);
        rest = later;
    }
    Ok(answers)
}

fn carry_out_round(
    conn: &mut DbConn,
    jobs: &[Job],
    process: &str,
    clock: &SharedClock,
) -> Result<Vec<Option<SocketRow>>, MailboxError> {
    let (mut claims, mut leavings) = (Vec::new(), Vec::new());
    for job in jobs {
        match job {
            Job::Claim(claim) => claims.push(*claim),
            Job::Leave(id, claim) => leavings.push((*id, *claim)),
        }
    }
    let mut changed = sockets::claim(conn, &claims, process)?;
    changed.append(&mut end(conn, &leavings, process, clock)?);
    let mut changed: HashMap<_, _> = changed.into_iter().map(|row| (row.id(), row)).collect();
    Ok(jobs.iter().map(|job| changed.remove(&job.mailbox())).collect())
}

/// Ends claims of a process, and tells of the envelopes that are left behind.
pub(super) fn end(
    conn: &mut DbConn,
    claims: &[(MailboxId, i64)],
    process: &str,
    clock: &SharedClock,
) -> Result<Vec<SocketRow>, DbError> {
    let left = sockets::leave(conn, claims, process)?;
    let now = clock.now();
    let mut events = Vec::new();
    for row in left.iter().filter(|row| row.envelope_count > 0) {
        let event = MailboxEvent {
            account_id: row.account_id,
            device_id: row.device_id,
            at: now,
            change: MailboxChange::MessagesAvailable { urgent: row.urgent_waits },
        };
        events.push((event, None));
    }
    outbox::push(conn, &events, now)?;
    Ok(left)
}

#[cfg(test)]
mod tests;
