//! Group commit: many callers, one connection, one transaction for all that gathered meanwhile.
//!
//! In go jobs from any task; each comes back with its own answer after the transaction that held it has
//! committed. There is no added delay: what arrives while one batch commits is the next batch. What must
//! hold: an answer `Ok` means committed; one bad job harms no other; a queue that is full refuses at once.

mod worker;

use std::sync::Arc;

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
    jobs: mpsc::Sender<Message<J, R, E>>,
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
        let (jobs, queue) = mpsc::channel(settings.queue.max(1));
        let (running, finished) = watch::channel(());
        let worker = Worker::new(db.clone(), settings, work);
        std::thread::Builder::new()
            .name(settings.name.to_owned())
            .spawn(move || {
                let _running = running;
                worker.run(queue);
            })
            .map_err(DbError::other)?;
        Ok(Self(Arc::new(Handle { jobs, finished })))
    }

    /// Stores `job` together with others and returns its result once that is committed. Dropping the future
    /// withdraws a job that has not begun; one that has may still be stored.
    ///
    /// # Errors
    /// What `work` returned for this job alone; [`DbError::Overloaded`] when the queue is full;
    /// [`DbError::Unavailable`] while the database is down or after [`Batcher::stop`];
    /// [`DbError::CommitUnknown`] when the connection went while committing.
    pub async fn submit(&self, job: J) -> Result<R, E> {
        let (reply, answer) = oneshot::channel();
        self.0.jobs.try_send(Message::Job(job, reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => DbError::Overloaded("too many jobs wait"),
            mpsc::error::TrySendError::Closed(_) => DbError::unavailable(Stopped),
        })?;
        // The thread answers every job; without an answer it is gone, and nobody knows how far it came.
        answer.await.unwrap_or_else(|_| Err(DbError::CommitUnknown(Arc::new(Stopped)).into()))
    }

    /// Jobs that wait now, for a gauge.
    pub fn queued(&self) -> usize {
        self.0.jobs.max_capacity() - self.0.jobs.capacity()
    }

    /// Refuses new jobs, finishes those queued, and returns when the thread has ended.
    pub async fn stop(&self) {
        // Fails when the thread was stopped before: then there is only its end to wait for.
        let _ = self.0.jobs.send(Message::Stop).await;
        let _ = self.0.finished.clone().changed().await;
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the writer has stopped")]
struct Stopped;
