//! Moves committed outbox rows to the bus.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use common::models::{SharedClock, UnixMillis};
use db::{Db, DbError};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(super) use self::seat::Columns;
use self::seat::{Row, Seat, Unmarked};
use self::tail::{Sent, Tail};
use super::{Backlog, backlog};
use crate::{BusError, Producer, Record};

mod seat;
mod tail;

/// By how much the clocks of a service's pods, and of the bus, may disagree about when a row was pushed.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// How a [`Relay`] works; the default is right for production.
#[derive(Debug, Clone)]
pub struct RelaySettings {
    /// Rows of one batch at most.
    pub batch: usize,
    /// How often to look without having been woken: for rows of other pods, and for the seat of a relay that died.
    pub poll: Duration,
    /// How long rows gather after a batch that was not full. A row that comes alone does not wait; under load each batch
    /// costs two transactions and a confirmation of the bus, however few rows it has.
    pub gather: Duration,
    /// How long published rows are kept, for [`republish_since`](super::republish_since).
    pub retention: Duration,
    /// How often to look for rows to prune; they go in bounded batches, between the batches that are published.
    pub prune_every: Duration,
    /// The first pause after a failure; it doubles up to `longest_backoff`.
    pub first_backoff: Duration,
    /// The longest pause after a failure.
    pub longest_backoff: Duration,
    /// How long to let the bus take what a relay that died had under way, before asking it what is there.
    pub settle: Duration,
}

impl Default for RelaySettings {
    fn default() -> Self {
        Self {
            batch: 512,
            poll: Duration::from_millis(200),
            gather: Duration::from_millis(20),
            retention: Duration::from_secs(24 * 60 * 60),
            prune_every: Duration::from_secs(5),
            first_backoff: Duration::from_millis(100),
            longest_backoff: Duration::from_secs(5),
            settle: Duration::from_millis(300),
        }
    }
}

/// Publishes one service's outbox. Clones are handles on the same relay; one of them [runs](Relay::run).
///
/// On PostgreSQL all relays of a service, in whatever pods, agree by an advisory lock that one of them works; the
/// others wait and one takes over when its connection ends. A relay that takes its seat, or did not hear the bus confirm,
/// first asks the bus which of the rows that are not marked are there, and publishes only the others: a relay killed
/// between publishing and marking has nothing published again. Rows are told apart by their records, so let each have
/// something of its own: a [`MESSAGE_ID`](crate::record::MESSAGE_ID), or a span id.
#[derive(Clone)]
pub struct Relay(Arc<Inner>);

struct Inner {
    db: Db,
    producer: Arc<dyn Producer>,
    clock: SharedClock,
    settings: RelaySettings,
    wake: Notify,
}

/// What a turn of the relay found.
enum Turn {
    /// More may wait.
    Full,
    /// All that was visible is published; there was some.
    Published,
    /// Nothing waited.
    Idle,
    /// Another relay of this service works.
    Follower,
}

#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl Relay {
    /// Makes a relay from the outbox in `db` to `producer`; nothing is read before [`Relay::run`].
    pub fn new(db: Db, producer: Arc<dyn Producer>, clock: SharedClock, settings: RelaySettings) -> Self {
        Self(Arc::new(Inner { db, producer, clock, settings, wake: Notify::new() }))
    }

    /// Tells the relay that rows were committed. Never blocks; too many calls do no harm, and neither does none.
    pub fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// Measures what waits for publication, for a gauge.
    ///
    /// # Errors
    /// [`DbError`] of the query.
    pub async fn backlog(&self) -> Result<Backlog, DbError> {
        self.0.db.read(backlog).await
    }

    /// Publishes until `cancel`; a batch that is being published is finished first. Failures of the database or the bus
    /// are logged and tried again, with growing pauses. Rows that the bus will never take for their size are logged
    /// as errors and left aside, unpublished.
    pub async fn run(&self, cancel: CancellationToken) {
        let settings = &self.0.settings;
        let mut work = Work {
            relay: &self.0,
            seat: None,
            sent: Sent::Unknown,
            refused: BTreeSet::new(),
            singly: 0,
            pruned: Instant::now(),
        };
        let mut backoff = settings.first_backoff;
        while !cancel.is_cancelled() {
            match work.turn().await {
                Ok(Turn::Full) => backoff = settings.first_backoff,
                Ok(turn) => {
                    backoff = settings.first_backoff;
                    if matches!(turn, Turn::Published) {
                        let _ = tokio::time::timeout(settings.gather, cancel.cancelled()).await;
                    }
                    let woken = async {
                        match turn {
                            Turn::Follower => std::future::pending().await,
                            _ => self.0.wake.notified().await,
                        }
                    };
                    tokio::select! {
                        () = cancel.cancelled() => {}
                        () = woken => {}
                        () = tokio::time::sleep(settings.poll) => {}
                    }
                }
                Err(error) => {
                    tracing::warn!(
                        db.schema = self.0.db.schema(),
                        %error,
                        retry_ms = backoff.as_millis(),
                        "outbox records wait: publishing failed"
                    );
                    tokio::select! {
                        () = cancel.cancelled() => {}
                        () = tokio::time::sleep(backoff) => {}
                    }
                    backoff = (backoff * 2).min(settings.longest_backoff);
                }
            }
        }
    }
}

/// The running half of a relay.
struct Work<'a> {
    relay: &'a Inner,
    /// The connection, and with it the right to publish, while there is one.
    seat: Option<Seat>,
    /// Which rows a relay has sent without marking them.
    sent: Sent,
    /// Rows that the bus refused for good; tried again by the next process.
    refused: BTreeSet<i64>,
    /// How many rows are still to be published each alone, as one of them is too large.
    singly: usize,
    pruned: Instant,
}

impl Work<'_> {
    async fn turn(&mut self) -> Result<Turn, RelayError> {
        let settings = &self.relay.settings;
        let limit = if self.singly > 0 { 1 } else { settings.batch };
        self.singly = self.singly.saturating_sub(1);
        let refused = self.refused.clone();
        // One hop to the thread that may block, not one for each step.
        let rows = self.on_seat(move |seat| match seat.lead()? {
            true => seat.pending(limit, &refused).map(Some),
            false => Ok(None),
        });
        let Some(rows) = rows.await? else { return Ok(Turn::Follower) };
        if matches!(self.sent, Sent::Unknown) {
            self.sent = self.ask().await?;
        }
        let found = rows.len();
        if found > 0
            && let Err(error) = self.deliver(rows).await
        {
            self.sent = Sent::Unknown;
            return Err(error);
        }
        if self.pruned.elapsed() >= settings.prune_every {
            let before = self.relay.clock.now() - settings.retention;
            if !self.on_seat(move |seat| seat.prune(before)).await? {
                self.pruned = Instant::now();
            }
        }
        Ok(match found {
            0 => Turn::Idle,
            _ if found == limit => Turn::Full,
            _ => Turn::Published,
        })
    }

    /// Asks the bus what it has of the rows that are not marked.
    async fn ask(&mut self) -> Result<Sent, RelayError> {
        let topics = self.on_seat(Seat::unmarked).await?;
        let Some(newest) = topics.iter().map(|topic| topic.newest).max() else { return Ok(Sent::None) };
        tokio::time::sleep(self.relay.settings.settle).await;
        let mut tail = Tail::until(newest);
        for Unmarked { topic, since, .. } in topics {
            let since = UnixMillis(since.as_i64().saturating_sub(CLOCK_SKEW.as_millis() as i64));
            tail.add(&topic, self.relay.producer.recent(&topic, since).await?);
        }
        Ok(Sent::In(tail))
    }

    /// Sees to it that the bus has `rows`, and marks them.
    async fn deliver(&mut self, rows: Vec<Row>) -> Result<(), RelayError> {
        let (mut known, mut ids, mut records) = (Vec::new(), Vec::new(), Vec::new());
        for (id, record) in rows.into_iter().map(Row::split) {
            if let Sent::In(tail) = &self.sent
                && tail.ends_before(id)
            {
                self.sent = Sent::None;
            }
            if let Sent::In(tail) = &mut self.sent
                && tail.take(&record)
            {
                known.push(id);
            } else {
                ids.push(id);
                records.push(record);
            }
        }
        if !known.is_empty() {
            tracing::info!(
                db.schema = self.relay.db.schema(),
                records = known.len(),
                "outbox records were on the bus already"
            );
            self.mark(known).await?;
        }
        if ids.is_empty() { Ok(()) } else { self.publish(ids, records).await }
    }

    async fn publish(&mut self, ids: Vec<i64>, records: Vec<Record>) -> Result<(), RelayError> {
        match (self.relay.producer.send(records).await, ids.as_slice()) {
            (Ok(()), _) => self.mark(ids).await,
            (Err(error @ BusError::TooLarge { .. }), [id]) => {
                let schema = self.relay.db.schema();
                tracing::error!(db.schema = schema, outbox.id = id, %error, "outbox record can never be published");
                self.refused.insert(*id);
                Ok(())
            }
            // The next turns find out which ones it is about; and where it was the broker that refused one, which of the
            // others it has.
            (Err(BusError::TooLarge { .. }), ids) => {
                self.singly = ids.len();
                self.sent = Sent::Unknown;
                Ok(())
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    async fn mark(&mut self, ids: Vec<i64>) -> Result<(), RelayError> {
        let now = self.relay.clock.now();
        Ok(self.on_seat(move |seat| seat.mark(ids, now)).await?)
    }

    /// Runs a blocking step on the seat, which is taken first if there is none and given up when its connection is
    /// lost.
    async fn on_seat<T: Send + 'static>(
        &mut self,
        step: impl FnOnce(&mut Seat) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, DbError> {
        let seat = self.seat.take();
        if seat.is_none() {
            // Another relay may have published since.
            self.sent = Sent::Unknown;
        }
        let db = self.relay.db.clone();
        let (seat, result) = tokio::task::spawn_blocking(move || {
            let mut seat = match seat.map_or_else(|| Seat::open(&db), Ok) {
                Ok(seat) => seat,
                Err(error) => return (None, Err(error)),
            };
            let result = step(&mut seat);
            ((!seat.is_lost()).then_some(seat), result)
        })
        .await
        .map_err(DbError::other)?;
        self.seat = seat;
        result
    }
}
