//! Tells which processes live, and ends the claims of those that do not: a sender must not take a device for connected
//! whose process was killed.
//!
//! On PostgreSQL every process holds an advisory lock on a connection of its own, for as long as it lives: whoever gets
//! the lock of another knows that it is gone, by no clock. A SQLite file belongs to one process: all others are gone.

use db::{DbError, Session};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::presence;
use crate::app::State;
use crate::store::sockets;

/// Looks at the processes regularly, until `cancel`.
pub(crate) async fn run(state: State, cancel: CancellationToken) {
    let mut timer = tokio::time::interval(state.settings.process_check);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut roll = Some(Roll { state, session: None });
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = timer.tick() => {}
        }
        let Some(mut taken) = roll.take() else { return };
        let called = tokio::task::spawn_blocking(move || {
            let called = taken.call();
            (taken, called)
        });
        // The thread ends with what it does, whoever waits for it.
        let Ok((back, called)) = called.await else { return };
        roll = Some(back);
        if let Err(error) = called {
            tracing::warn!(%error, "the other processes could not be looked at; trying again");
        }
    }
}

struct Roll {
    state: State,
    session: Option<Session>,
}

impl Roll {
    /// Makes sure that this process holds its lock, and strikes off those that are gone. Blocks.
    fn call(&mut self) -> Result<(), DbError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.open()?,
        };
        let called = self.strike_the_dead(&mut session);
        if !session.is_lost() {
            self.session = Some(session);
        }
        called
    }

    fn open(&self) -> Result<Session, DbError> {
        let mut session = Session::open(&self.state.db)?;
        session.write(sockets::notice_a_lost_host)?;
        // Refused while the server still holds an earlier connection of ours, or another process strikes us off.
        match session.read(|conn| sockets::try_lock(conn, self.state.presence.process()))? {
            true => {
                // While there was no lock, the others may have ended the claims of this process.
                self.state.sockets.ask_for_patrol();
                Ok(session)
            }
            false => Err(DbError::other(Held)),
        }
    }

    fn strike_the_dead(&self, session: &mut Session) -> Result<(), DbError> {
        let others = session.read(|conn| sockets::others(conn, self.state.presence.process()))?;
        for process in others {
            if session.read(|conn| sockets::try_lock(conn, &process))? {
                let struck = self.strike(session, &process);
                session.read(|conn| sockets::unlock(conn, &process))?;
                struck?;
            }
        }
        Ok(())
    }

    /// Ends all claims of a process, in batches, and forgets it.
    fn strike(&self, session: &mut Session, process: &str) -> Result<(), DbError> {
        let batch = self.state.settings.sweep_batch;
        loop {
            let is_struck = session.write(|conn| {
                // It may live, and have lost nothing but its lock: a claim that it is making is waited for and seen, and
                // what it claims later enlists it anew.
                sockets::enlist(conn, process, self.state.clock.now())?;
                let claims = sockets::of_process(conn, process, batch.into())?;
                presence::end(conn, &claims, process, &self.state.clock)?;
                let is_last = claims.len() < batch as usize;
                if is_last {
                    sockets::strike(conn, process)?;
                }
                Ok::<_, DbError>(is_last)
            })?;
            if is_struck {
                break;
            }
        }
        tracing::info!(process, "a process is gone: its websockets are closed");
        self.state.relay.wake();
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the lock of this process is held by another connection")]
struct Held;
