//! Which connection shows a session, in all processes: the first one that claims it, for as long as it is open.
//!
//! The claim is in the session's row: the names of process and connection. A connection that ends clears it. A process
//! that is killed clears nothing; on PostgreSQL it held an advisory lock on a connection of its own, so whoever gets that
//! lock knows, by no clock, that the claim is void. A claim of this process counts if its connection is open.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use db::{Db, DbConn, DbError, Session};
use tokio::sync::SetOnce;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use web::Check;

use crate::app::State;
use crate::store::processes;

/// The pause after somebody else had the lock: another process that looked whether we live, or the server, which has not
/// noticed yet that an earlier connection of ours has ended.
const HELD: Duration = Duration::from_millis(200);
/// The pause after the database was away before this process has shown that it lives.
const AWAY: Duration = Duration::from_secs(1);

/// Who shows a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    /// The process.
    pub(crate) process: String,
    /// Its connection.
    pub(crate) connection: String,
}

/// This process and its connections. Clones are handles on the same one.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    name: Arc<str>,
    open: Arc<Mutex<HashSet<String>>>,
    /// The others can see that it lives.
    shown: Arc<SetOnce<()>>,
}

/// An open connection; it is no more when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    process: Process,
    connection: String,
}

impl Process {
    /// Gives this process a fresh name.
    pub(crate) fn new() -> Self {
        Self { name: Uuid::now_v7().to_string().into(), open: Arc::default(), shown: Arc::default() }
    }

    /// Notes a connection.
    pub(crate) fn enter(&self) -> Seat {
        let connection = Uuid::now_v7().to_string();
        self.lock().insert(connection.clone());
        Seat { process: self.clone(), connection }
    }

    /// Whether the connection that claimed a session is still there.
    pub(crate) fn lives(&self, conn: &mut DbConn, holder: &Holder) -> Result<bool, DbError> {
        if holder.process == *self.name {
            return Ok(self.lock().contains(&holder.connection));
        }
        Ok(!processes::is_gone(conn, &holder.process)?)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        // Nothing panics within, so a poisoned set is sound.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A process takes no connection before it has its lock: the others would take over what that claims.
#[async_trait]
impl Check for Process {
    fn name(&self) -> &str {
        "process-lock"
    }

    async fn check(&self) -> Result<(), String> {
        if self.shown.initialized() {
            return Ok(());
        }
        Err("the lock that shows the other processes that this one lives is not held yet".to_owned())
    }
}

impl Seat {
    /// The claim of this connection.
    pub(crate) fn holder(&self) -> Holder {
        Holder { process: self.process.name.to_string(), connection: self.connection.clone() }
    }

    /// The process that it is a connection of.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.process.lock().remove(&self.connection);
    }
}

/// Lets the other processes see that this one lives, until `cancel`.
pub(crate) async fn run(state: State, cancel: CancellationToken) {
    let mut timer = tokio::time::interval(state.settings.process_check);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut held = None;
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = timer.tick() => {}
        }
        let (db, process) = (state.db.clone(), Arc::clone(&state.process.name));
        let earlier = held.take();
        // The thread ends with what it does, whoever waits for it.
        let Ok(renewed) = tokio::task::spawn_blocking(move || hold(&db, &process, earlier)).await else {
            return;
        };
        match renewed {
            Ok(Some(session)) => {
                held = Some(session);
                // The first time alone sets it.
                let _ = state.process.shown.set(());
            }
            Ok(None) => timer.reset_after(HELD.min(state.settings.process_check)),
            Err(error) => {
                tracing::warn!(%error, "other processes may take this one for dead; trying again");
                if !state.process.shown.initialized() {
                    // Nobody is served before.
                    timer.reset_after(AWAY.min(state.settings.process_check));
                }
            }
        }
    }
}

/// Makes sure that the lock is held, on the connection that had it or on a new one; none when somebody else has it.
fn hold(db: &Db, process: &str, earlier: Option<Session>) -> Result<Option<Session>, DbError> {
    if let Some(mut session) = earlier {
        // A connection that answers has kept its lock.
        if session.read(|_| Ok::<_, DbError>(())).is_ok() && !session.is_lost() {
            return Ok(Some(session));
        }
    }
    let mut session = Session::open(db)?;
    session.write(processes::notice_a_lost_host)?;
    let held = session.read(|conn| processes::hold(conn, process))?;
    Ok(held.then_some(session))
}
