//! One transaction for all the publications that have gathered.
//!
//! Each gets the next place of its channel, under the lock of the channel's row: no two have one place, in whatever
//! processes they are made, and no place is left out. Once they are committed, and before anybody is answered, they are
//! handed on in their order: to the clients here and to the other processes.

use std::collections::HashMap;
use std::sync::Arc;

use common::models::notify::Place;
use common::models::{Epoch, NotificationId, SharedClock, UnixMillis};
use db::{Batcher, BatcherSettings, Db, DbConn, DbError};
use diesel::QueryResult;
use ring::digest::{SHA256, digest};

use super::error::NotifyError;
use super::notification::{Notification, Publication};
use crate::delivery::Hub;
use crate::metrics::Metrics;
use crate::push::{Carry, Wish};
use crate::settings::NotifySettings;
use crate::store::publishing::{self, Candidate, PlacedRow, Terms};
use crate::store::pushes::{self, Cause, Timing};

/// The name of a publication that its publisher chose, so that it is made once however often it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// Whose name it is.
    pub(crate) publisher: String,
    pub(crate) text: String,
    /// What tells the publication from another.
    pub(crate) hash: Vec<u8>,
}

impl Key {
    /// Names the publication of `notification`.
    pub(crate) fn new(
        publisher: impl Into<String>,
        text: impl Into<String>,
        notification: &Notification,
    ) -> Self {
        let hash = digest(&SHA256, notification.data.get().as_bytes()).as_ref().to_vec();
        Self { publisher: publisher.into(), text: text.into(), hash }
    }
}

/// A notification to be published.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) notification: Notification,
    pub(crate) push: Wish,
    pub(crate) key: Option<Key>,
}

/// What became of a draft.
#[derive(Debug)]
pub(crate) enum Published {
    /// It is in its place.
    Stored(Arc<Publication>),
    /// It was before.
    Replayed {
        /// The id that it got then.
        id: NotificationId,
        /// The place that it got then.
        place: Place,
    },
    /// Its key stands for something else.
    KeyReused,
}

/// The writer of publications in this process. Clones share it.
#[derive(Clone)]
pub(crate) struct Writer {
    batcher: Batcher<Arc<Draft>, Published, NotifyError>,
    metrics: Metrics,
}

impl Writer {
    /// Starts the writer.
    ///
    /// # Errors
    /// [`DbError::Other`] when the system gives no thread.
    pub(crate) fn start(
        db: &Db,
        settings: &Arc<NotifySettings>,
        clock: SharedClock,
        metrics: Metrics,
        hub: Hub,
    ) -> Result<Self, DbError> {
        let shape =
            BatcherSettings { name: "notify-writer", max_batch: settings.batch, queue: settings.queue };
        let rules = Rules { settings: Arc::clone(settings), clock, metrics: metrics.clone() };
        let pushes = settings.push.is_on();
        // What is to be pushed is a second statement, which must not fail or be lost without the first.
        let is_single =
            move |drafts: &[Arc<Draft>]| !pushes || !drafts.iter().any(|draft| draft.push.is_any());
        let work = move |conn: &mut DbConn, drafts: &[Arc<Draft>]| rules.store(conn, drafts);
        let hand_on = move |results: &[Result<Published, NotifyError>]| {
            let stored = results.iter().filter_map(|result| match result {
                Ok(Published::Stored(publication)) => Some(publication),
                _ => None,
            });
            hub.published(stored);
        };
        Ok(Self { batcher: Batcher::spawn_then(db, shape, is_single, work, hand_on)?, metrics })
    }

    /// Publishes drafts, in their order; each has its own result.
    pub(crate) async fn publish(&self, drafts: Vec<Draft>) -> Vec<Result<Published, NotifyError>> {
        let drafts: Vec<Arc<Draft>> = drafts.into_iter().map(Arc::new).collect();
        let mut results = self.submit(drafts.clone()).await;
        // Another process has stored their keys meanwhile, which are found from now on.
        let outrun = drafts.into_iter().zip(&results).filter(|(_, result)| is_outrun(result));
        let outrun: Vec<Arc<Draft>> = outrun.map(|(draft, _)| draft).collect();
        if !outrun.is_empty() {
            let again = self.submit(outrun).await;
            for (result, again) in results.iter_mut().filter(|result| is_outrun(result)).zip(again) {
                *result = again;
            }
        }
        results
    }

    async fn submit(&self, drafts: Vec<Arc<Draft>>) -> Vec<Result<Published, NotifyError>> {
        let publishing = self.batcher.submit_many(drafts);
        self.metrics.queued_jobs.set(i64::try_from(self.batcher.queued()).unwrap_or(i64::MAX));
        publishing.await
    }
}

fn is_outrun(result: &Result<Published, NotifyError>) -> bool {
    matches!(result, Err(NotifyError::Db(DbError::UniqueViolation { .. })))
}

struct Rules {
    settings: Arc<NotifySettings>,
    clock: SharedClock,
    metrics: Metrics,
}

impl Rules {
    fn store(&self, conn: &mut DbConn, drafts: &[Arc<Draft>]) -> Result<Vec<Published>, NotifyError> {
        let now = self.clock.now();
        let terms = Terms {
            now,
            expires_at: now + self.settings.history_ttl,
            epoch: Epoch::new(),
            size: i64::from(self.settings.history_size),
        };
        let mut firsts = HashMap::new();
        let mut candidates = Vec::with_capacity(drafts.len());
        // Of equal keys the first is stored; the others get its answer.
        let mut answered_by: Vec<i32> = Vec::with_capacity(drafts.len());
        for (number, draft) in (0_i32..).zip(drafts) {
            let Draft { notification, key, .. } = &**draft;
            let first = match key {
                Some(key) => {
                    let name = (&notification.channel, &key.publisher, &key.text);
                    *firsts.entry(name).or_insert(number)
                }
                None => number,
            };
            answered_by.push(first);
            if first == number {
                candidates.push(Candidate { number, notification, key: key.as_ref() });
            }
        }
        let rows = publishing::store(conn, &candidates, &terms).map_err(DbError::from)?;
        self.metrics.batch_jobs.observe(drafts.len() as f64);
        let rows: HashMap<i32, PlacedRow> = rows.into_iter().map(|row| (row.number, row)).collect();
        let answers = (0_i32..).zip(drafts).zip(answered_by).filter_map(|((number, draft), first)| {
            let row = rows.get(&first)?;
            let place = Place { offset: row.offset, epoch: row.epoch };
            let told = match (&row.earlier, &draft.key) {
                (None, _) if first == number => {
                    Published::Stored(Publication::new(draft.notification.clone(), Some(place)))
                }
                (Some(hash), Some(key)) if *hash != key.hash => Published::KeyReused,
                (None, Some(key)) if !is_same(drafts, first, key) => Published::KeyReused,
                _ => Published::Replayed { id: row.id, place },
            };
            Some(told)
        });
        let answers: Vec<Published> = answers.collect();
        if self.settings.push.is_on() {
            self.want_pushes(conn, drafts, &answers, now).map_err(DbError::from)?;
        }
        Ok(answers)
    }

    /// Writes down, with what was stored, which devices are to be told if they are not connected.
    fn want_pushes(
        &self,
        conn: &mut DbConn,
        drafts: &[Arc<Draft>],
        answers: &[Published],
        now: UnixMillis,
    ) -> QueryResult<()> {
        let settings = &self.settings.push;
        let causes = drafts.iter().zip(answers).filter_map(|(draft, answer)| {
            let Published::Stored(publication) = answer else { return None };
            let (channel, push) = (publication.channel(), &draft.push);
            push.is_any().then_some(Cause {
                channel: channel.as_str(),
                offset: publication.place()?.offset,
                with_data: push.carry == Carry::Data && channel.account().is_none(),
                urgency: push.urgency.as_str(),
                topic: push.topic.as_deref(),
                expires_at: now + push.life(settings.ttl),
            })
        });
        let causes: Vec<Cause<'_>> = causes.collect();
        let timing = Timing { now, due_at: now + settings.delay, stale: now - settings.interval };
        pushes::want(conn, &causes, timing)
    }
}

/// Tells whether the draft at `first` is the same publication.
fn is_same(drafts: &[Arc<Draft>], first: i32, key: &Key) -> bool {
    let first = usize::try_from(first).ok().and_then(|first| drafts.get(first));
    first.and_then(|first| first.key.as_ref()).is_some_and(|earlier| earlier.hash == key.hash)
}
