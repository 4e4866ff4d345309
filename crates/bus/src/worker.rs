//! The consumer loop: records go to a [`Handler`] in batches, and what it answers becomes offsets, later tries and
//! dead letters, here and nowhere else.
//!
//! What must hold: an offset is stored only when the record and all before it in its partition are done with,
//! durably; behind a record that is to be tried again its partition waits, while the others go on; a record is
//! given up only into a dead-letter topic; a revoked partition is left after the batch in flight has ended; no answer
//! of a broker is waited for while there are events.

mod dead_letter;
mod lanes;
mod metrics;
mod policy;

use std::{convert::Infallible, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{FutureExt, future::BoxFuture};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use self::lanes::{Lanes, Verdict};
pub use self::{metrics::WorkerMetrics, policy::Policy};
use crate::{Bus, BusError, Consumer, Delivered, Event, Producer, Record};

/// How long the consumer is left alone after a failure of the bus. It connects again by itself, with pauses of its own;
/// what it hears of the group is to be answered soon.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What became of a record. Reasons end up in logs and headers: they name the fault, never contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its effect is durable (or it needs none): the offset may move on.
    Done,
    /// It is to be handed out again, and so is what is behind it in its partition and not done.
    Retry {
        /// When; `None` lets the policy's backoff decide.
        after: Option<Duration>,
        /// Why.
        reason: String,
    },
    /// It can never succeed: it goes to the dead-letter topic.
    Dead {
        /// Why; becomes the header `error`.
        reason: String,
    },
}

impl Outcome {
    /// Asks for another try when the policy's backoff says.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { after: None, reason: reason.into() }
    }

    /// Gives the record up.
    pub fn dead(reason: impl Into<String>) -> Self {
        Self::Dead { reason: reason.into() }
    }
}

/// What is done with records.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Handles records of several partitions, each partition's in order, and answers for each in the same order.
    ///
    /// Records may come more than once. A shorter answer is allowed: the rest was not reached, and is handed out
    /// again without counting as a try. A handler to which the order within a key matters therefore stops, or
    /// answers [`Outcome::Retry`], behind a record of the same partition that it wants to see again: `Done` is
    /// believed wherever it stands. A panic counts as a retry of the whole batch; a record that panics alone,
    /// [`Policy::max_panics`] times, is dead.
    async fn handle(&self, records: &[Delivered]) -> Vec<Outcome>;
}

/// A consumer with its loop, ready to run.
pub struct Worker {
    bus: Bus,
    group: String,
    topics: Vec<String>,
    policy: Policy,
    metrics: WorkerMetrics,
}

impl Worker {
    /// Makes a worker that will be a member of `group` on `topics`.
    pub fn new(bus: &Bus, group: &str, topics: &[&str]) -> Self {
        Self {
            bus: bus.clone(),
            group: group.to_owned(),
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            policy: Policy::default(),
            metrics: WorkerMetrics::default(),
        }
    }

    /// Replaces the default policy.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Counts into `metrics`.
    pub fn metrics(mut self, metrics: WorkerMetrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Runs until `cancel`; then the batch in flight is finished, its offsets are committed and the group is left.
    /// Transient failures of the bus are waited out.
    ///
    /// # Errors
    /// What no waiting heals: [`BusError::Settings`], [`BusError::Closed`].
    pub async fn run(self, handler: &dyn Handler, cancel: CancellationToken) -> Result<(), BusError> {
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        let consumer = self.bus.consumer(&self.group, &topics)?;
        let consuming = run(consumer, handler, Tools::new(&self), cancel);
        tokio::select! {
            ended = consuming => ended,
            never = self.watch_lag() => match never {},
        }
    }

    /// Keeps the lag of the metrics up to date: that of the whole group, partitions of other members included, since
    /// those that nobody owns would be in no metric otherwise.
    async fn watch_lag(&self) -> Infallible {
        loop {
            match self.lag().await {
                Ok(lag) => self.metrics.lag.set(lag),
                Err(error) => {
                    tracing::debug!(%error, group = self.group, "the lag could not be read");
                    self.metrics.lag_failed.inc();
                }
            }
            sleep(self.policy.lag_interval).await;
        }
    }

    async fn lag(&self) -> Result<i64, BusError> {
        let mut lag = 0;
        for topic in &self.topics {
            lag += self.bus.lag(&self.group, topic).await?.iter().map(|partition| partition.lag).sum::<i64>();
        }
        Ok(lag)
    }
}

/// What the loop works with, besides its consumer.
struct Tools {
    producer: Arc<dyn Producer>,
    policy: Policy,
    metrics: WorkerMetrics,
}

impl Tools {
    fn new(worker: &Worker) -> Self {
        let (policy, metrics) = (worker.policy.clone(), worker.metrics.clone());
        Self { producer: worker.bus.producer(), policy, metrics }
    }
}

async fn run(
    consumer: Box<dyn Consumer>,
    handler: &dyn Handler,
    tools: Tools,
    cancel: CancellationToken,
) -> Result<(), BusError> {
    let lanes = Lanes::default();
    let mut worker = Loop { consumer, lanes, tools, commit_at: None, committing: None, failures: 0 };
    let ended = worker.run(handler, &cancel).await;
    if let Some(committing) = worker.committing.take() {
        // Else it might undo the last one. What it could not commit is stored, and goes with that.
        let _ = committing.await;
    }
    let closed = worker.consumer.close().await;
    if let Err(error) = &closed {
        tracing::warn!(%error, "offsets were not committed at the end; their records will come again");
    }
    ended
}

struct Loop {
    consumer: Box<dyn Consumer>,
    lanes: Lanes,
    tools: Tools,
    /// When what is stored is to be committed; `None` when nothing is.
    commit_at: Option<Instant>,
    /// The commit that is under way.
    committing: Option<BoxFuture<'static, Result<(), BusError>>>,
    /// Failures of the bus in a row.
    failures: u32,
}

impl Loop {
    async fn run(&mut self, handler: &dyn Handler, cancel: &CancellationToken) -> Result<(), BusError> {
        let max = self.tools.policy.max_batch.max(1);
        while !cancel.is_cancelled() {
            let event = tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                committed = ended(&mut self.committing) => {
                    self.committed(committed);
                    None
                }
                event = self.consumer.next(max) => Some(event),
                () = until(self.lanes.next_wake()) => None,
                () = until(self.commit_at), if self.committing.is_none() => None,
            };
            match event {
                Some(Ok(event)) => self.take(event),
                Some(Err(error)) if error.is_transient() => self.wait_out(&error, cancel).await,
                Some(Err(error)) => return Err(error),
                None => {}
            }
            let batch = self.lanes.take(Instant::now(), max);
            if !batch.is_empty() {
                self.handle(handler, batch).await;
            }
            if self.committing.is_none() && self.commit_at.is_some_and(|at| at <= Instant::now()) {
                self.commit_at = None;
                self.committing = Some(self.consumer.commit());
            }
        }
        Ok(())
    }

    fn take(&mut self, event: Event) {
        self.failures = 0;
        match event {
            Event::Records(records) => self.lanes.push(records),
            Event::Assigned(partitions) => {
                // Nothing is known of a partition before its first record. One that was lost and has come back may have
                // been paused since, for a record that was tried when it was ours before.
                self.lanes.forget(&partitions);
                self.consumer.resume(&partitions);
            }
            // The batch in flight has ended, and its offsets are stored: they are committed with the answer. What has not
            // been handed out, or waits for another try, is the next owner's.
            Event::Revoked(partitions) => self.lanes.forget(&partitions),
        }
    }

    async fn handle(&mut self, handler: &dyn Handler, batch: Vec<Delivered>) {
        let answer = AssertUnwindSafe(handler.handle(&batch)).catch_unwind().await;
        let panicked = answer.is_err();
        let mut outcomes = answer.unwrap_or_else(|_| self.after_panic(&batch));
        if outcomes.is_empty() {
            // Else a handler that never reaches its first record would be called without a pause.
            outcomes.push(Outcome::retry("the handler answered for no record"));
        }
        let verdicts = self.judge(&batch, outcomes).await;
        self.tools.metrics.count(&verdicts);
        let moved = self.lanes.settle(batch, verdicts, Instant::now());
        match panicked {
            true => self.lanes.note_panic(&moved.blocked),
            false => self.lanes.note_answer(&moved.blocked),
        }
        self.consumer.pause(&moved.blocked);
        self.consumer.resume(&moved.freed);
        if !moved.done.is_empty() {
            self.consumer.store(&moved.done);
            self.commit_at.get_or_insert(Instant::now() + self.tools.policy.commit_interval);
        }
    }

    /// Answers for a handler that did not. A record that was alone is the one to blame.
    fn after_panic(&self, batch: &[Delivered]) -> Vec<Outcome> {
        const REASON: &str = "the handler panicked";
        tracing::error!(records = batch.len(), "{REASON}; its records will be tried one by one");
        match batch {
            [culprit] if self.lanes.panics(&culprit.position) + 1 >= self.tools.policy.max_panics => {
                vec![Outcome::dead(REASON)]
            }
            _ => vec![Outcome::retry(REASON); batch.len()],
        }
    }

    /// Turns answers into verdicts: decides waits, and sends what is dead to where the dead go.
    async fn judge(&mut self, batch: &[Delivered], outcomes: Vec<Outcome>) -> Vec<Verdict> {
        let policy = &self.tools.policy;
        let mut verdicts = Vec::with_capacity(batch.len());
        let mut letters = Vec::new();
        let mut answers = outcomes.into_iter();
        for (index, record) in batch.iter().enumerate() {
            let tries = self.lanes.tries(&record.position) + 1;
            let mut bury = |reason: &str| {
                tracing::warn!(at = %record.position, reason, tries, "a record is given up");
                letters.push((index, dead_letter::of(record, reason, tries, policy)));
                Verdict::Dead
            };
            verdicts.push(match answers.next() {
                None => Verdict::Unreached,
                Some(Outcome::Done) => Verdict::Done,
                Some(Outcome::Dead { reason }) => bury(&reason),
                Some(Outcome::Retry { reason, .. }) if policy.max_attempts.is_some_and(|max| tries >= max) => {
                    bury(&reason)
                }
                Some(Outcome::Retry { after, reason }) => {
                    let after = after.unwrap_or_else(|| policy.backoff(tries));
                    tracing::info!(at = %record.position, reason, tries, ?after, "a record will be tried again");
                    Verdict::Retry { after }
                }
            });
        }
        if letters.is_empty() {
            return verdicts;
        }
        let (buried, letters): (Vec<usize>, Vec<_>) = letters.into_iter().unzip();
        if let Err(error) = post(self.tools.producer.as_ref(), letters).await {
            tracing::error!(%error, "dead letters could not be written; their records stay");
            for index in buried {
                let after = policy.backoff(self.lanes.tries(&batch[index].position) + 1);
                verdicts[index] = Verdict::Retry { after };
            }
        }
        verdicts
    }

    fn committed(&mut self, outcome: Result<(), BusError>) {
        self.committing = None;
        if let Err(error) = outcome {
            tracing::warn!(%error, "offsets were not committed; the next commit takes them along");
            self.commit_at.get_or_insert(Instant::now() + self.tools.policy.backoff(1));
        }
    }

    async fn wait_out(&mut self, error: &BusError, cancel: &CancellationToken) {
        self.failures += 1;
        if self.failures == 1 {
            tracing::warn!(%error, "the bus does not deliver; waiting for it");
        }
        tokio::select! {
            () = cancel.cancelled() => {}
            () = sleep(self.tools.policy.backoff(self.failures).min(LONGEST_WAIT)) => {}
        }
    }
}

/// Sends dead letters. One that has become too large by its headers goes as a stub, so that it blocks nothing.
async fn post(producer: &dyn Producer, letters: Vec<Record>) -> Result<(), BusError> {
    match producer.send(letters.clone()).await {
        // Find out which ones it is about; a broker may have taken others, which then come twice.
        Err(BusError::TooLarge { .. }) => {}
        sent => return sent,
    }
    for letter in letters {
        match producer.send(vec![letter.clone()]).await {
            Err(BusError::TooLarge { .. }) => producer.send(vec![dead_letter::stub(&letter)]).await?,
            sent => sent?,
        }
    }
    Ok(())
}

/// Waits for the end of what is under way; for ever when nothing is.
async fn ended<T>(under_way: &mut Option<BoxFuture<'static, T>>) -> T {
    match under_way {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[path = "worker/loop_tests.rs"]
mod tests;
