//! Counts the sockets of a process, so that the drain can close and await them.

use std::{
    panic::AssertUnwindSafe,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::FutureExt;
use prometheus::IntGauge;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::wheel::Wheel;
use crate::chain::panic_text;

/// The sockets of a process. Clones share the count.
#[derive(Clone, Debug)]
pub(crate) struct Sockets {
    tasks: TaskTracker,
    drain: CancellationToken,
    open: Arc<Open>,
}

#[derive(Debug)]
struct Open {
    count: AtomicUsize,
    max: usize,
    gauge: IntGauge,
}

impl Sockets {
    pub(crate) fn new(drain: CancellationToken, max: usize, gauge: IntGauge) -> Self {
        Self {
            tasks: TaskTracker::new(),
            drain,
            open: Arc::new(Open { count: AtomicUsize::new(0), max, gauge }),
        }
    }

    /// Tells whether another socket may be accepted; exact enough, as it is asked before the handshake.
    pub(crate) fn has_room(&self) -> bool {
        !self.drain.is_cancelled() && self.open.count.load(Ordering::Relaxed) < self.open.max
    }

    /// Starts the wheel of the current worker.
    pub(crate) fn start_wheel(&self) -> Rc<Wheel> {
        Wheel::start(self.drain.clone())
    }

    pub(super) fn seat(&self, wheel: Rc<Wheel>) -> Seat {
        self.open.count.fetch_add(1, Ordering::Relaxed);
        self.open.gauge.inc();
        Seat { open: Arc::clone(&self.open), wheel }
    }

    pub(super) fn spawn(&self, session: impl Future<Output = ()> + 'static) {
        let session = AssertUnwindSafe(session).catch_unwind();
        self.tasks.spawn_local(async move {
            // The socket has closed with 1011 by now.
            if let Err(panic) = session.await {
                tracing::error!(panic = panic_text(&*panic), "websocket session failed");
            }
        });
    }

    /// Waits until every session has ended. The sockets were told by the drain token.
    pub(crate) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// A socket's place in the count.
#[derive(Debug)]
pub(super) struct Seat {
    open: Arc<Open>,
    wheel: Rc<Wheel>,
}

impl Seat {
    pub(super) fn wheel(&self) -> Rc<Wheel> {
        Rc::clone(&self.wheel)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.open.count.fetch_sub(1, Ordering::Relaxed);
        self.open.gauge.dec();
    }
}
