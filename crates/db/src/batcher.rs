//! Group commit: many callers, one connection, one transaction for all that gathered meanwhile.
//!
//! In go jobs from any task; each comes back with its own answer after the transaction that held it has
//! committed. There is no added delay: what arrives while one batch commits is the next batch. What must
//! hold: an answer `Ok` means committed; one bad job harms no other; a queue that is full refuses at once.

mod worker;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot, watch};

use self::worker::{Message, Worker};
use crate::{Db, DbConn, DbError};

/// How a [`Batcher`] is dimensioned.
#[derive(Debug, Clone, Copy)]
pub struct BatcherSettings {
    /// Name of the thread and in logs, 15 bytes at most are shown by the system.
    pub name: &'static str,
    /// Jobs of one transaction at most.
    pub max_batch: usize,
    /// Jobs that may wait; the next one is refused.
    pub queue: usize,
}

/// The handle to one writer thread. Clones share it; when the last one is gone the thread finishes what is
/// queued and ends.
pub struct Batcher<J, R, E>(Arc<Handle<J, R, E>>);

struct Handle<J, R, E> {
    messages: mpsc::Sender<Message<J, R, E>>,
    /// Jobs that wait in messages.
    waiting: Arc<AtomicUsize>,
    queue: usize,
    finished: watch::Receiver<()>,
}

impl<J, R, E> Clone for Batcher<J, R, E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<J, R, E> Batcher<J, R, E>
where
    J: Send + 'static,
    R: Send + 'static,
    E: From<DbError> + Send + 'static,
{
    /// Starts the thread. `work` stores a batch inside a transaction and returns one result per job, in
    /// order. It is called again, with fewer jobs, when a batch fails: it must do nothing that a rollback
    /// does not undo. A result that is bad news for one job alone belongs into `R`; an `Err` fails the batch.
    ///
    /// # Errors
    /// [`DbError::Other`] when the system gives no thread. A database that is down is not an error here.
    pub fn spawn<F>(db: &Db, settings: BatcherSettings, work: F) -> Result<Self, DbError>
    where
        F: FnMut(&mut DbConn, &[J]) -> Result<Vec<R>, E> + Send + 'static,
    {
        Self::spawn_where(db, settings, |_| false, work)
    }

    /// Does what [`Batcher::spawn`] does, and saves the round trips of BEGIN and COMMIT for those batches of which
    /// `is_single` says that `work` stores them with one statement on PostgreSQL. For them `work` must fail only where
    /// its statement has failed, and a connection that goes meanwhile is [`DbError::CommitUnknown`].
    ///
    /// # Errors
    /// As [`Batcher::spawn`].
    pub fn spawn_where<S, F>(
        db: &Db,
        settings: BatcherSettings,
        is_single: S,
        work: F,
    ) -> Result<Self, DbError>
    where
        S: FnMut(&[J]) -> bool + Send + 'static,
        F: FnMut(&mut DbConn, &[J]) -> Result<Vec<R>, E> + Send + 'static,
    {
        Self::spawn_then(db, settings, is_single, work, |_| {})
    }

    /// Does what [`Batcher::spawn_where`] does, and shows the results of each batch to `then` before anybody gets an
    /// answer: on the batcher's thread, so in the order in which batches were committed, and also for jobs whose caller
    /// has gone meanwhile. It must be quick, and must not block.
    ///
    /// # Errors
    /// As [`Batcher::spawn`].
    pub fn spawn_then<S, F, T>(
        db: &Db,
        settings: BatcherSettings,
        is_single: S,
        work: F,
        then: T,
    ) -> Result<Self, DbError>
    where
        S: FnMut(&[J]) -> bool + Send + 'static,
        F: FnMut(&mut DbConn, &[J]) -> Result<Vec<R>, E> + Send + 'static,
        T: FnMut(&[Result<R, E>]) + Send + 'static,
    {
        let queue = settings.queue.max(1);
        // Jobs are counted apart: a message may hold many.
        let (messages, inbox) = mpsc::channel(queue);
        let (running, finished) = watch::channel(());
        let waiting = Arc::new(AtomicUsize::new(0));
        let worker = Worker::new(db.clone(), settings, waiting.clone(), is_single, work);
        let mut then = then;
        std::thread::Builder::new()
            .name(settings.name.to_owned())
            .spawn(move || {
                let _running = running;
                worker.run(inbox, &mut then);
            })
            .map_err(DbError::other)?;
        Ok(Self(Arc::new(Handle { messages, waiting, queue, finished })))
    }

    /// Stores `job` together with others and returns its result once that is committed. Dropping the future
    /// withdraws a job that has not begun; one that has may still be stored.
    ///
    /// # Errors
    /// What `work` returned for this job alone; [`DbError::Overloaded`] when the queue is full;
    /// [`DbError::Unavailable`] while the database is down or after [`Batcher::stop`];
    /// [`DbError::CommitUnknown`] when the connection went while committing.
    pub async fn submit(&self, job: J) -> Result<R, E> {
        let mut results = self.submit_many(vec![job]).await;
        results.pop().unwrap_or_else(|| Err(DbError::CommitUnknown(Arc::new(Stopped)).into()))
    }

    /// Does what [`Batcher::submit`] does for several jobs, which wait for one answer together. Each has its own
    /// result, in order; the last ones are refused when the queue has no room for all. They are queued when this
    /// returns, before the future is polled: jobs are stored in the order of the calls.
    pub fn submit_many(
        &self,
        mut jobs: Vec<J>,
    ) -> impl Future<Output = Vec<Result<R, E>>> + Send + use<J, R, E> {
        let taken = self.0.reserve(jobs.len());
        let refused = jobs.split_off(taken).len();
        let answer = self.0.send(jobs);
        async move {
            let lost = match answer {
                Ok(None) => None,
                // The thread answers every job; without an answer it is gone, and nobody knows how far it came.
                Ok(Some(answer)) => match answer.await {
                    Ok(results) => return with_refused(results, refused),
                    Err(_) => Some(DbError::CommitUnknown(Arc::new(Stopped))),
                },
                Err(error) => Some(error),
            };
            let lost = lost.into_iter().flat_map(|error| (0..taken).map(move |_| Err(error.clone().into())));
            with_refused(lost.collect(), refused)
        }
    }

    /// Jobs that wait now, for a gauge.
    pub fn queued(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// Refuses new jobs, finishes those queued, and returns when the thread has ended.
    pub async fn stop(&self) {
        // Fails when the thread was stopped before: then there is only its end to wait for.
        let _ = self.0.messages.send(Message::Stop).await;
        let _ = self.0.finished.clone().changed().await;
    }
}

impl<J, R, E> Handle<J, R, E> {
    /// Takes room in the queue for as many of `wanted` jobs as there is; gives their number.
    fn reserve(&self, wanted: usize) -> usize {
        let before = self.waiting.fetch_add(wanted, Ordering::Relaxed);
        let taken = wanted.min(self.queue.saturating_sub(before));
        self.waiting.fetch_sub(wanted - taken, Ordering::Relaxed);
        taken
    }

    /// Queues jobs that have room; `None` when there are none.
    fn send(&self, jobs: Vec<J>) -> Result<Option<Answer<R, E>>, DbError> {
        let count = jobs.len();
        if count == 0 {
            return Ok(None);
        }
        let (reply, answer) = oneshot::channel();
        let sent = self.messages.try_send(Message::Jobs(jobs, reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => DbError::Overloaded(CROWDED),
            mpsc::error::TrySendError::Closed(_) => DbError::unavailable(Stopped),
        });
        if sent.is_err() {
            self.waiting.fetch_sub(count, Ordering::Relaxed);
        }
        sent.map(|()| Some(answer))
    }
}

/// Adds the results of jobs that found no room.
fn with_refused<R, E: From<DbError>>(mut results: Vec<Result<R, E>>, refused: usize) -> Vec<Result<R, E>> {
    results.extend((0..refused).map(|_| Err(DbError::Overloaded(CROWDED).into())));
    results
}

const CROWDED: &str = "too many jobs wait";

type Answer<R, E> = oneshot::Receiver<Vec<Result<R, E>>>;

#[derive(Debug, thiserror::Error)]
#[error("the writer has stopped")]
struct Stopped;
