//! The way of an SMS through the gateway, stage by stage.
//!
//! ```text
//! record ─intake→ job ─dispatch→ segments `submitting` ─links→ SMSC
//!   └ dead letter   └ loop-back → due statuses            │ responses, receipts
//!                                    statuses + outbox ←──┘ outcomes
//! SMSC ─links→ parts ─inbound→ messages + outbox
//! ```
//! Each arrow takes what has gathered, in one transaction. Plaintext is in memory only.

pub(crate) mod announce;
pub(crate) mod client_log;
pub(crate) mod dispatch;
pub(crate) mod inbound;
pub(crate) mod intake;
pub(crate) mod links;
pub(crate) mod looping;
pub(crate) mod openers;
pub(crate) mod orders;
pub(crate) mod outcomes;
pub(crate) mod plaintexts;
pub(crate) mod queries;
pub(crate) mod quota;
pub(crate) mod rates;
pub(crate) mod upkeep;
pub(crate) mod vault;
pub(crate) mod webhooks;

use std::sync::Arc;

use common::models::{SharedClock, UnixMillis};
use db::{Batcher, Db, DbError};
use tokio::sync::{Notify, mpsc};

use crate::domain::recipient::RecipientKey;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::store::inbound::{Desk, Taken, Task};
use crate::store::intake::{self as taking, NewAttempt};
use crate::store::queue::{Step, Stepped};
use crate::store::receipts::{Outcome, Settled};
use crate::store::{Rules, StoreError};
use announce::Announcer;
use inbound::settling::Waiting;
use openers::Openers;
use plaintexts::Plaintexts;
use vault::CachedVault;

/// What the stages share.
pub(crate) struct Gateway {
    pub(crate) settings: Settings,
    pub(crate) clock: SharedClock,
    pub(crate) db: Db,
    pub(crate) producer: Arc<dyn bus::Producer>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) metrics: Metrics,
    /// Names recipients in tables.
    pub(crate) recipients: RecipientKey,
    pub(crate) vault: Arc<CachedVault>,
    pub(crate) openers: Openers,
    pub(crate) plaintexts: Plaintexts,
    pub(crate) announcer: Announcer,
    pub(crate) intake: Batcher<NewAttempt, taking::Taken, StoreError>,
    pub(crate) dispatch: Batcher<Step, Stepped, StoreError>,
    pub(crate) outcomes: Batcher<Outcome, Settled, StoreError>,
    pub(crate) inbound: Batcher<Task, Taken, StoreError>,
    /// STOPs that are not answered yet.
    pub(crate) stops: mpsc::Sender<Waiting>,
    /// Jobs may be waiting, or an SMSC may have room.
    pub(crate) work: Notify,
    /// A status of the loop-back client may be due earlier than thought.
    pub(crate) loops: Notify,
}

impl Gateway {
    /// Gives the time.
    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }
}

/// Starts the writers: of requests, of what leaves the queue, of outcomes, and of what handsets send.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn writers(
    db: &Db,
    clock: &SharedClock,
    rules: &Arc<Rules>,
    desk: Desk,
    max_batch: usize,
) -> Result<Writers, DbError> {
    let queue = max_batch.saturating_mul(16);
    let settings = |name| db::BatcherSettings { name, max_batch, queue };
    let (now, law) = (clock.clone(), rules.clone());
    let intake = Batcher::spawn(db, settings("sms-intake"), move |conn, batch: &[NewAttempt]| {
        crate::store::intake::take(conn, &law, batch, now.now())
    })?;
    let law = rules.clone();
    // Its one client waits for each step.
    let alone = db::BatcherSettings { name: "sms-dispatch", max_batch: 1, queue: 1 };
    let looks = |steps: &[Step]| steps.iter().all(Step::is_look);
    let dispatch = Batcher::spawn_where(db, alone, looks, move |conn, steps: &[Step]| {
        steps.iter().map(|step| step.run(conn, &law)).collect()
    })?;
    let (now, law) = (clock.clone(), rules.clone());
    let outcomes = Batcher::spawn(db, settings("sms-outcomes"), move |conn, batch: &[Outcome]| {
        crate::store::receipts::settle(conn, &law, batch, now.now())
    })?;
    let now = clock.clone();
    let inbound = Batcher::spawn(db, settings("sms-inbound"), move |conn, batch: &[Task]| {
        crate::store::inbound::take(conn, &desk, batch, now.now())
    })?;
    Ok(Writers { intake, dispatch, outcomes, inbound })
}

/// See [`writers`].
pub(crate) struct Writers {
    pub(crate) intake: Batcher<NewAttempt, taking::Taken, StoreError>,
    pub(crate) dispatch: Batcher<Step, Stepped, StoreError>,
    pub(crate) outcomes: Batcher<Outcome, Settled, StoreError>,
    pub(crate) inbound: Batcher<Task, Taken, StoreError>,
}
