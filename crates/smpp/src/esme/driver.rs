//! The life of an ESME between connections: connect, run a link, wait, again.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::connect::{Stream, connect};
use super::link::{Link, LinkEnd};
use super::pace::Pace;
use super::{
    Answers, CloseReason, Counters, EsmeSettings, EsmeState, Event, LinkError, Query, QueryError, Submission,
};
use crate::tls::ClientTls;

/// What comes from the owner.
pub(super) struct Inputs {
    pub(super) submissions: mpsc::Receiver<Submission>,
    pub(super) queries: mpsc::Receiver<Query>,
    pub(super) answers: Arc<Answers>,
    /// Whether the owner wants no bind.
    pub(super) held: watch::Receiver<bool>,
    /// For the next connection.
    pub(super) tls: Arc<Mutex<Option<ClientTls>>>,
    pub(super) stop: CancellationToken,
}

impl Inputs {
    fn is_held(&self) -> bool {
        *self.held.borrow()
    }

    fn tls(&self) -> Option<ClientTls> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What goes to the owner. Events wait in a backlog while the channel is full; whoever fills it must stop taking
/// input until [`Outputs::is_clear`], which bounds it.
pub(super) struct Outputs {
    events: mpsc::Sender<Event>,
    backlog: VecDeque<Event>,
    state: watch::Sender<EsmeState>,
    pub(super) counters: Arc<Counters>,
}

/// The receiver of the events is gone.
pub(super) struct OwnerGone;

impl Outputs {
    pub(super) fn new(
        events: mpsc::Sender<Event>,
        state: watch::Sender<EsmeState>,
        counters: Arc<Counters>,
    ) -> Self {
        Self { events, backlog: VecDeque::new(), state, counters }
    }

    pub(super) fn tell(&mut self, event: Event) {
        if !self.backlog.is_empty() {
            self.backlog.push_back(event);
        } else if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            self.backlog.push_back(event);
        }
    }

    pub(super) fn is_clear(&self) -> bool {
        self.backlog.is_empty()
    }

    /// Waits until the channel has taken the backlog. May be dropped at any point without loss.
    pub(super) async fn flush(&mut self) -> Result<(), OwnerGone> {
        while !self.backlog.is_empty() {
            let permit = self.events.reserve().await.map_err(|_| OwnerGone)?;
            if let Some(event) = self.backlog.pop_front() {
                permit.send(event);
            }
        }
        Ok(())
    }

    pub(super) fn set_state(&self, state: EsmeState) {
        self.state.send_replace(state);
    }

    fn owner_is_gone(&self) -> bool {
        self.events.is_closed()
    }

    /// For waiting until the owner has dropped the receiver, while `self` is in use.
    pub(super) fn owner(&self) -> mpsc::Sender<Event> {
        self.events.clone()
    }
}

pub(super) async fn run(settings: EsmeSettings, mut inputs: Inputs, mut outputs: Outputs) {
    let smsc = settings.name.clone();
    let mut backoff = Backoff::new(settings.reconnect_min, settings.reconnect_max);
    let mut pace = Pace::new(settings.pace(), now());
    let mut link_number = 0;
    loop {
        outputs.counters.show(&pace, now());
        if inputs.is_held() {
            outputs.set_state(EsmeState::Held);
            let let_go = until_held_is(inputs.held.clone(), false);
            if meanwhile(let_go, &mut inputs, &mut outputs).await.is_none() {
                break;
            }
            backoff.reset();
        }
        outputs.set_state(EsmeState::Connecting);
        let connecting = unless_held(connect(&settings, inputs.tls()), inputs.held.clone());
        let connected = match meanwhile(connecting, &mut inputs, &mut outputs).await {
            Some(Some(connected)) => connected,
            Some(None) => continue,
            None => break,
        };
        let error = match connected {
            Ok(stream) => {
                link_number += 1;
                let link = Link::new(&settings, link_number, &mut pace, &mut inputs, &mut outputs);
                let end = match stream {
                    Stream::Plain(mut stream) => {
                        let (reader, writer) = stream.split();
                        link.run(reader, writer).await
                    }
                    Stream::Tls(stream) => {
                        let (reader, writer) = tokio::io::split(*stream);
                        link.run(reader, writer).await
                    }
                };
                outputs.counters.in_flight.store(0, Ordering::Relaxed);
                let LinkEnd { error, was_bound } = end;
                if was_bound {
                    backoff.reset();
                }
                error
            }
            Err(error) => error,
        };
        if inputs.stop.is_cancelled() || outputs.owner_is_gone() {
            break;
        }
        let let_go = error == LinkError::Closed(CloseReason::Requested) && !inputs.submissions.is_closed();
        if inputs.is_held() || let_go {
            continue;
        }
        let wait = match error {
            LinkError::Closed(CloseReason::Refused(status)) if status.is_refused_bind() => {
                tracing::error!(smsc = %smsc, status = %status, "SMSC refuses the credentials");
                outputs.set_state(EsmeState::Alarm { status });
                backoff.jittered(settings.alarm_retry)
            }
            _ => {
                tracing::warn!(smsc = %smsc, error = %error, "no link to the SMSC");
                outputs.set_state(EsmeState::Waiting { error });
                backoff.wait()
            }
        };
        let waiting = unless_held(tokio::time::sleep(wait), inputs.held.clone());
        if meanwhile(waiting, &mut inputs, &mut outputs).await.is_none() {
            break;
        }
    }
    end(inputs, outputs).await;
}

/// Waits until the owner wants it so; for ever once there is no handle left, which is noticed otherwise.
pub(super) async fn until_held_is(mut held: watch::Receiver<bool>, wanted: bool) {
    if held.wait_for(|held| *held == wanted).await.is_err() {
        std::future::pending().await
    }
}

/// Runs `work` until it is done or the ESME is held.
async fn unless_held<T>(work: impl Future<Output = T>, held: watch::Receiver<bool>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        () = until_held_is(held, true) => None,
    }
}

/// The time as sessions want it; follows tokio's paused clock in tests.
pub(super) fn now() -> std::time::Instant {
    tokio::time::Instant::now().into_std()
}

/// Runs `work` while there is no bind: submissions come back at once. `None` when the ESME is to end.
async fn meanwhile<T>(
    work: impl Future<Output = T>,
    inputs: &mut Inputs,
    outputs: &mut Outputs,
) -> Option<T> {
    tokio::pin!(work);
    let owner = outputs.owner();
    loop {
        tokio::select! {
            done = &mut work => return Some(done),
            () = inputs.stop.cancelled() => return None,
            () = owner.closed() => return None,
            flushed = outputs.flush(), if !outputs.is_clear() => {
                if flushed.is_err() {
                    return None;
                }
            }
            submission = inputs.submissions.recv(), if outputs.is_clear() => match submission {
                Some(Submission { token, .. }) => outputs.tell(Event::NotSent { token }),
                None => return None,
            },
            query = inputs.queries.recv() => match query {
                // Whoever asked may have gone.
                Some(query) => drop(query.reply.send(Err(QueryError::NotSent))),
                None => return None,
            },
            // Answers to deliveries of a link that is gone.
            () = inputs.answers.wake.notified() => drop(inputs.answers.take()),
        }
    }
}

/// Gives back what is still queued.
async fn end(mut inputs: Inputs, mut outputs: Outputs) {
    inputs.submissions.close();
    inputs.queries.close();
    while let Some(Submission { token, .. }) = inputs.submissions.recv().await {
        outputs.tell(Event::NotSent { token });
        if outputs.flush().await.is_err() {
            break;
        }
    }
    // Nobody to tell is as good as told.
    let _ = outputs.flush().await;
    outputs.set_state(EsmeState::Closed);
}
