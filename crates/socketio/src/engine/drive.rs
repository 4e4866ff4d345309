//! The task of a session that polls, and what it shares with that of a websocket.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::future::poll_fn;
use tokio::time::{Sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::link::{Turn, Turns};
use super::{Link, Message, Protocol};
use crate::handled::Handled;
use crate::session::Reason;

/// Hands a message to the protocol.
pub(super) fn message<P: Protocol>(link: &Arc<Link<P>>, message: Message<'_>) -> Handled<Result<(), Reason>> {
    let engine = link.engine();
    engine.counters.received.fetch_add(1, Relaxed);
    engine.protocol.message(link, message)
}

/// When a session's task looks again; asks the protocol as long as it has a deadline.
pub(super) struct Clock {
    deadline: Option<(Instant, Reason)>,
}

impl Clock {
    pub(super) fn new<P: Protocol>(link: &Link<P>) -> Self {
        Self { deadline: link.engine().protocol.deadline(link) }
    }

    /// Waits until `until`, or until the protocol's deadline, which ends the session when it has passed. Ready when there
    /// is something to look at.
    pub(super) fn poll<P: Protocol>(
        &mut self,
        link: &Link<P>,
        until: Instant,
        mut timer: Pin<&mut Sleep>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let mut due = until;
        if self.deadline.is_some() {
            self.deadline = link.engine().protocol.deadline(link);
        }
        if let Some((deadline, reason)) = self.deadline {
            if deadline <= Instant::now() {
                self.deadline = None;
                link.end(reason);
                return Poll::Ready(());
            }
            due = due.min(deadline);
        }
        // A timer that is set too early costs one look; to set it anew after each pong would cost more.
        if timer.is_elapsed() || timer.deadline() > due.into() {
            timer.as_mut().reset(due.into());
        }
        timer.poll(context)
    }
}

/// Ends the session with its task, however that ends; a panic of the application is a fault.
pub(super) struct Leaving<'a, P: Protocol>(pub(super) Option<&'a Link<P>>);

impl<P: Protocol> Drop for Leaving<'_, P> {
    fn drop(&mut self) {
        if let Some(link) = self.0 {
            link.end(Reason::Fault);
            link.finish();
        }
    }
}

/// The task of a session that polls: times it until it ends, or moves to a websocket.
pub(super) async fn keep<P: Protocol>(link: Arc<Link<P>>, stop: Option<CancellationToken>) {
    let mut leaving = Leaving(Some(&*link));
    let mut clock = Clock::new(&link);
    let mut timer = pin!(sleep_until(Instant::now().into()));
    let mut stop = pin!(stop.map(CancellationToken::cancelled_owned));
    let moved = poll_fn(|context| {
        loop {
            if stop.as_mut().as_pin_mut().is_some_and(|stop| stop.poll(context).is_ready()) {
                stop.set(None);
                link.end(Reason::Draining);
            }
            match link.turn(Turns::Polling, context.waker()) {
                Turn::Moved => return Poll::Ready(true),
                Turn::Ended(_) => return Poll::Ready(false),
                Turn::Attend => link.engine().protocol.attend(&link),
                Turn::Send => {}
                Turn::Wait(until) => {
                    if clock.poll(&link, until, timer.as_mut(), context).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    })
    .await;
    if moved {
        leaving.0 = None;
    } else {
        link.finish();
    }
}
