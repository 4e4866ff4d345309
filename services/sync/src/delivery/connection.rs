//! Drives a [`Watcher`]: socket, live hints, table, timers.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bus::live::LiveSubscription;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use web::ws::{CloseCode, Draining, SendError, Socket};

use super::frames::{ACK, Base, PAUSE, url};
use super::watcher::{End, Input, Output, Watcher};
use crate::app::State;
use crate::domain::session::Sight;
use crate::domain::{Seat, SyncId, UserId, hints, subscription};
use crate::settings::Format;

/// How long a peer waits for its claim to be given back.
const LEAVING: Duration = Duration::from_secs(2);

/// What a websocket shows, and how.
pub(crate) struct Subscription {
    pub(crate) user: UserId,
    /// The session's own id.
    pub(crate) id: SyncId,
    /// Where the device reaches this service.
    pub(crate) base: Base,
    pub(crate) format: Format,
}

/// Shows a session for as long as both it and the peer are there.
pub(crate) async fn serve(state: Arc<State>, subscription: Subscription, mut socket: Socket) {
    // Heard from before the first look, so that nothing falls between the two.
    let live = hints::listen(&state.live, &subscription.user, &subscription.id);
    let mut connection = Connection {
        seat: state.process.enter(),
        watcher: Watcher::default(),
        due: None,
        state: &state,
        subscription,
    };
    state.metrics.subscribers.inc();
    let end = connection.run(&mut socket, live).await;
    state.metrics.subscribers.dec();
    // First the claim: the handshake may take seconds, and the peer may be back by then. Where the database hangs, it is
    // told all the same.
    let _ = timeout(LEAVING, connection.leave()).await;
    if let Some(Close { code, reason }) = end {
        state.metrics.sockets_closed_total.with_label_values(&[&code.as_u16().to_string()]).inc();
        socket.close(code, reason).await;
    }
}

/// How this side ends a connection.
#[derive(Clone, Copy)]
struct Close {
    code: CloseCode,
    reason: &'static str,
}

impl From<End> for Close {
    fn from(end: End) -> Self {
        let (code, reason) = match end {
            End::Done => (CloseCode::NORMAL, "synchronized"),
            End::Over => (CloseCode::NORMAL, "the session is over"),
            End::Taken => (CloseCode::REPLACED, "already connected"),
        };
        Self { code, reason }
    }
}

struct Connection<'a> {
    state: &'a State,
    subscription: Subscription,
    seat: Seat,
    watcher: Watcher,
    /// When the watcher wants to be asked.
    due: Option<Instant>,
}

/// What a connection wakes for.
enum Event {
    /// The session may have changed.
    Look,
    /// What the watcher waits for.
    Due,
    /// Nothing that concerns it.
    Nothing,
}

impl Connection<'_> {
    /// Runs until the connection is over; returns how to close it, if it is ours to close.
    async fn run(&mut self, socket: &mut Socket, mut live: LiveSubscription) -> Option<Close> {
        let Subscription { user, id, .. } = &self.subscription;
        let mut input = match subscription::claim(self.state, user, id, &self.seat).await {
            Ok(sight) => Some(Input::Seen(sight)),
            Err(error) => {
                tracing::warn!(%error, "a session cannot be shown");
                return Some(Close { code: CloseCode::TRY_AGAIN, reason: "come back later" });
            }
        };
        let recheck = self.state.settings.recheck;
        let mut recheck = interval_at(Instant::now() + recheck, recheck);
        recheck.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if let Some(input) = input
                && let Err(close) = self.step(input, socket).await
            {
                return Some(close);
            }
            let event = tokio::select! {
                message = socket.next_unless_draining() => match message {
                    Ok(None) => return None,
                    // Nothing is expected from the peer, and nothing is read from what comes.
                    Ok(Some(_)) => Event::Nothing,
                    Err(Draining) => return Some(Close { code: CloseCode::RESTART, reason: "restarting" }),
                },
                _ = live.recv() => Event::Look,
                _ = recheck.tick() => Event::Look,
                () = reached(self.due) => Event::Due,
            };
            input = match event {
                Event::Look => self.look().await,
                Event::Due => Some(Input::Due),
                Event::Nothing => None,
            };
        }
    }

    async fn step(&mut self, input: Input, socket: &mut Socket) -> Result<(), Close> {
        let mut outputs = VecDeque::from(self.watcher.step(input));
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Show(shown) => {
                    let Subscription { user, base, format, .. } = &self.subscription;
                    send(&url(*format, base, (user, &shown), self.state.key.public()), socket)?;
                }
                Output::Paused => send(PAUSE, socket)?,
                Output::Acked => send(ACK, socket)?,
                Output::Wait(left) => self.due = Some(Instant::now() + left),
                Output::Advance => {
                    if let Some(sight) = self.advance().await {
                        outputs.extend(self.watcher.step(Input::Seen(sight)));
                    }
                }
                Output::Close(end) => return Err(end.into()),
            }
        }
        Ok(())
    }

    /// Looks at the session. A database that is away shows it again later.
    async fn look(&self) -> Option<Input> {
        let Subscription { user, id, .. } = &self.subscription;
        match subscription::look(self.state, user, id, &self.seat).await {
            Ok(sight) => Some(Input::Seen(sight)),
            Err(error) => {
                tracing::debug!(%error, "a session could not be looked at; trying again");
                None
            }
        }
    }

    /// Has the session do what is due; while the database is away, later.
    async fn advance(&mut self) -> Option<Sight> {
        let Subscription { user, id, .. } = &self.subscription;
        self.due = None;
        match subscription::advance(self.state, user, id, &self.seat).await {
            Ok(sight) => Some(sight),
            Err(error) => {
                tracing::debug!(%error, "a session could not go on; trying again");
                self.due = Some(Instant::now() + self.state.settings.recheck);
                None
            }
        }
    }

    /// Gives the claim back. What fails is void in any case once the seat is gone.
    async fn leave(self) {
        let Subscription { user, id, .. } = &self.subscription;
        if let Err(error) = subscription::leave(self.state, user, id, &self.seat).await {
            tracing::debug!(%error, "the claim of a connection that ended stays in the table");
        }
    }
}

fn send(text: &str, socket: &mut Socket) -> Result<(), Close> {
    match socket.send_text(text) {
        Err(SendError::Full) => Err(Close { code: CloseCode::TRY_AGAIN, reason: "read faster" }),
        // Closed: the next look at the socket tells.
        Ok(()) | Err(SendError::Closed) => Ok(()),
    }
}

async fn reached(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}
