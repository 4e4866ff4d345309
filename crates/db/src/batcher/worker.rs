//! The thread behind a [`Batcher`](super::Batcher).

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::BatcherSettings;
use crate::{Db, DbConn, DbError, Session};

pub(super) type Reply<R, E> = oneshot::Sender<Vec<Result<R, E>>>;

/// Is shown the results of a batch.
pub(super) type Then<'a, R, E> = &'a mut dyn FnMut(&[Result<R, E>]);

pub(super) enum Message<J, R, E> {
    /// Jobs that are answered together.
    Jobs(Vec<J>, Reply<R, E>),
    Stop,
}

/// What is to be answered, in the order of the queue.
struct Waiting<R, E> {
    jobs: usize,
    results: Vec<Result<R, E>>,
    reply: Reply<R, E>,
}

const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

pub(super) struct Worker<S, F> {
    db: Db,
    settings: BatcherSettings,
    /// Jobs in the queue; shared with those who fill it.
    queued: Arc<AtomicUsize>,
    is_single: S,
    work: F,
    session: Option<Session>,
    backoff: Duration,
    /// Until then jobs are refused with the error of the last attempt instead of each waiting for another.
    refused: Option<(Instant, DbError)>,
}

impl<S, F> Worker<S, F> {
    pub(super) fn new(
        db: Db,
        settings: BatcherSettings,
        queued: Arc<AtomicUsize>,
        is_single: S,
        work: F,
    ) -> Self {
        Self { db, settings, queued, is_single, work, session: None, backoff: FIRST_BACKOFF, refused: None }
    }

    /// Serves until every sender is gone or a [`Message::Stop`] came, then what is still queued. Each batch's results are
    /// shown to `then` before they are answered.
    pub(super) fn run<J, R, E>(mut self, mut queue: mpsc::Receiver<Message<J, R, E>>, then: Then<'_, R, E>)
    where
        E: From<DbError>,
        S: FnMut(&[J]) -> bool,
        F: FnMut(&mut DbConn, &[J]) -> Result<Vec<R>, E>,
    {
        let max = self.settings.max_batch.max(1);
        let mut jobs = Vec::with_capacity(max);
        let mut waiting = VecDeque::new();
        loop {
            let mut next = if jobs.is_empty() { queue.blocking_recv() } else { queue.try_recv().ok() };
            if next.is_none() && jobs.is_empty() {
                return;
            }
            while let Some(message) = next.take() {
                match message {
                    Message::Jobs(more, reply) => {
                        self.queued.fetch_sub(more.len(), Ordering::Relaxed);
                        // Else its caller has given up; storing it would only lengthen the queue for the others.
                        if !reply.is_closed() {
                            let count = more.len();
                            waiting.push_back(Waiting {
                                jobs: count,
                                results: Vec::with_capacity(count),
                                reply,
                            });
                            jobs.extend(more);
                        }
                    }
                    Message::Stop => queue.close(),
                }
                if jobs.len() < max {
                    next = queue.try_recv().ok();
                }
            }
            // What one caller brought may fill several batches.
            let size = jobs.len().min(max);
            if size > 0 {
                let results = self.serve(&jobs[..size]);
                // The batch is done, whatever comes of telling.
                if catch_unwind(AssertUnwindSafe(|| then(&results))).is_err() {
                    tracing::error!(batcher = self.settings.name, "telling of a batch panicked");
                }
                jobs.drain(..size);
                answer(&mut waiting, results);
            }
        }
    }

    /// Gives every job its result: the batch as a whole when it commits, else each job on its own.
    fn serve<J, R, E>(&mut self, jobs: &[J]) -> Vec<Result<R, E>>
    where
        E: From<DbError>,
        S: FnMut(&[J]) -> bool,
        F: FnMut(&mut DbConn, &[J]) -> Result<Vec<R>, E>,
    {
        match self.store(jobs) {
            Stored::Committed(results) => results.into_iter().map(Ok).collect(),
            // Not again one by one: what may be stored must not be stored twice.
            Stored::Unknown(error) | Stored::Unreachable(error) => {
                jobs.iter().map(|_| Err(error.clone().into())).collect()
            }
            Stored::Failed(error) if jobs.len() == 1 => vec![Err(error)],
            Stored::Failed(_) => jobs.iter().map(|job| self.store_alone(job)).collect(),
        }
    }

    fn store_alone<J, R, E>(&mut self, job: &J) -> Result<R, E>
    where
        E: From<DbError>,
        S: FnMut(&[J]) -> bool,
        F: FnMut(&mut DbConn, &[J]) -> Result<Vec<R>, E>,
    {
        match self.store(std::slice::from_ref(job)) {
            Stored::Committed(results) => results.into_iter().next().ok_or_else(|| wrong_count(0, 1).into()),
            Stored::Unknown(error) | Stored::Unreachable(error) => Err(error.into()),
            Stored::Failed(error) => Err(error),
        }
    }

    /// One transaction over `jobs`, begun anew once when the connection went before its commit.
    fn store<J, R, E>(&mut self, jobs: &[J]) -> Stored<R, E>
    where
        E: From<DbError>,
        S: FnMut(&[J]) -> bool,
        F: FnMut(&mut DbConn, &[J]) -> Result<Vec<R>, E>,
    {
        let mut again = true;
        loop {
            let mut session = match self.session() {
                Ok(session) => session,
                Err(error) => return Stored::Unreachable(error),
            };
            let (is_single, work) = (&mut self.is_single, &mut self.work);
            let done = catch_unwind(AssertUnwindSafe(|| {
                let single = is_single(jobs);
                let work = |conn: &mut DbConn| match work(conn, jobs).map_err(Failure::Work)? {
                    results if results.len() == jobs.len() => Ok(results),
                    results => Err(Failure::Db(wrong_count(results.len(), jobs.len()))),
                };
                if single { session.write_single(work) } else { session.write(work) }
            }));
            // After a panic the session is in an unknown state and is dropped here.
            let Ok(done) = done else { return Stored::Failed(DbError::other("the batch panicked").into()) };
            let lost = session.is_lost();
            if !lost {
                self.session = Some(session);
            }
            return match done {
                Ok(results) => Stored::Committed(results),
                Err(Failure::Db(error @ DbError::CommitUnknown(_))) => Stored::Unknown(error),
                Err(_) if lost && std::mem::take(&mut again) => continue,
                Err(Failure::Db(error)) => Stored::Failed(error.into()),
                Err(Failure::Work(error)) => Stored::Failed(error),
            };
        }
    }

    /// The open session or a new one; at most one attempt per backoff.
    fn session(&mut self) -> Result<Session, DbError> {
        if let Some(session) = self.session.take() {
            return Ok(session);
        }
        if let Some((until, error)) = &self.refused
            && Instant::now() < *until
        {
            return Err(error.clone());
        }
        match Session::open(&self.db) {
            Ok(session) => {
                self.refused = None;
                self.backoff = FIRST_BACKOFF;
                Ok(session)
            }
            Err(error) => {
                self.refused = Some((Instant::now() + self.backoff, error.clone()));
                self.backoff = (self.backoff * 2).min(LONGEST_BACKOFF);
                Err(error)
            }
        }
    }
}

/// Hands results to those who wait for them, and answers whoever has all of his.
fn answer<R, E>(waiting: &mut VecDeque<Waiting<R, E>>, results: Vec<Result<R, E>>) {
    let mut results = results.into_iter();
    while let Some(first) = waiting.front_mut() {
        first.results.extend(results.by_ref().take(first.jobs - first.results.len()));
        if first.results.len() < first.jobs {
            return;
        }
        if let Some(Waiting { results, reply, .. }) = waiting.pop_front() {
            // Whoever asked may have gone.
            let _ = reply.send(results);
        }
    }
}

/// How a transaction over a batch ended.
enum Stored<R, E> {
    /// All of it, one result per job.
    Committed(Vec<R>),
    /// Nothing, or all of it.
    Unknown(DbError),
    /// Nothing: there is no connection, so no job of the batch is to blame.
    Unreachable(DbError),
    /// Nothing: one of the jobs may be to blame.
    Failed(E),
}

/// Keeps the errors of the transaction apart from those of the work, which the caller's type would join.
enum Failure<E> {
    Db(DbError),
    Work(E),
}

impl<E> From<DbError> for Failure<E> {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

fn wrong_count(results: usize, jobs: usize) -> DbError {
    DbError::other(format!("the batch returned {results} results for {jobs} jobs"))
}
