//! Stores SMS that come in: those that arrive together share a transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use common::models::{GatewayClientId, SharedClock};
use db::{Batcher, BatcherSettings, Db, DbConn, DbError};

use super::MessageId;
use crate::settings::RelaySettings;
use crate::store::clients;
use crate::store::incoming::{self, NewIncoming};

/// An SMS to be stored, and who brought it.
pub(crate) struct Job {
    pub(crate) incoming: NewIncoming,
    pub(crate) client: Option<GatewayClientId>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// It waits for the publisher now.
    New,
    /// It came before.
    Duplicate,
}

impl Stored {
    /// Gives the name that metrics and log lines have.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::New => "stored",
            Self::Duplicate => "duplicate",
        }
    }
}

/// The writer of this process. Clones share it.
#[derive(Clone)]
pub(crate) struct Writer(Batcher<Job, Stored, DbError>);

impl Writer {
    /// Starts the writer.
    ///
    /// # Errors
    /// [`DbError::Other`] when the system gives no thread.
    pub(crate) fn start(db: &Db, settings: &Arc<RelaySettings>, clock: SharedClock) -> Result<Self, DbError> {
        let shape =
            BatcherSettings { name: "relay-intake", max_batch: settings.batch, queue: settings.queue };
        let window = settings.dedupe_window;
        let work = move |conn: &mut DbConn, jobs: &[Job]| {
            let now = clock.now();
            // Of two that are the same the first is stored.
            let mut firsts: BTreeMap<&MessageId, &NewIncoming> = BTreeMap::new();
            for job in jobs {
                firsts.entry(&job.incoming.message_id).or_insert(&job.incoming);
            }
            let rows: Vec<&NewIncoming> = firsts.into_values().collect();
            let mut stored = incoming::store(conn, &rows, now, now - window)?;
            let mut callers: Vec<GatewayClientId> = jobs.iter().filter_map(|job| job.client).collect();
            callers.sort_unstable();
            callers.dedup();
            clients::published(conn, &callers, now)?;
            let answers = jobs.iter().map(|job| {
                let mine = stored.iter().position(|id| *id == job.incoming.message_id);
                mine.map_or(Stored::Duplicate, |place| {
                    stored.swap_remove(place);
                    Stored::New
                })
            });
            Ok(answers.collect())
        };
        Ok(Self(Batcher::spawn(db, shape, work)?))
    }

    /// Stores one; it is on disk when this returns.
    ///
    /// # Errors
    /// [`DbError`]: it is not stored, or nobody knows.
    pub(crate) async fn store(&self, job: Job) -> Result<Stored, DbError> {
        self.0.submit(job).await
    }
}
