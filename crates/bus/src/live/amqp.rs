//! Live fan-out between pods over RabbitMQ: one topic exchange, one exclusive queue per pod, bound to the shards in
//! which the pod has subscribers and to the broadcasts.
//!
//! One task owns the connection, from the first use of the fan-out on. It makes a new one for as long as it takes, binds what is wanted by then, and tells
//! the subscribers that they may have missed something. What *we* failed to send (a full queue, a connection that broke
//! before the confirm) is made known to all pods by a [`Frame::Gap`], so that their subscribers read their state anew.

mod frame;
mod session;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    runtime::Handle,
    sync::{Notify, mpsc},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::{frame::Frame, session::Session};
use super::{Hub, Live, LiveEvent, LiveTransport, Route};
use crate::{AmqpServer, AmqpTlsSettings, BusError};

/// Events that wait for the connection; more are dropped, and the drop is made known.
const QUEUE: usize = 4096;
/// Bytes of payload that wait for the connection; most events have none, some carry a message.
const QUEUE_BYTES: usize = 16 * 1024 * 1024;
/// Seconds; a peer that is gone without a word is noticed within twice this.
const HEARTBEAT: u16 = 10;
const CONNECTION_TIMEOUT_MS: u64 = 5000;
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LAST_BACKOFF: Duration = Duration::from_secs(5);
/// How long the broker may owe an answer and still count as there.
const PATIENCE: Duration = Duration::from_secs(2);

impl Live {
    /// Makes a fan-out over the RabbitMQ at `url` (`amqp://` or `amqps://`, with user, password and virtual host), with
    /// the certificates of `tls`. It is connected to at the first use, and need not be reachable yet. Called within a tokio runtime, where its connection lives.
    ///
    /// # Errors
    /// [`BusError::Settings`] when `url` is not one, a file cannot be read, or there is no runtime.
    pub fn amqp(url: &str, tls: &AmqpTlsSettings) -> Result<Self, BusError> {
        let server = AmqpServer::new(url, tls, HEARTBEAT)
            .map_err(|error| BusError::Settings(format!("[live] {error}")))?
            .with_connection_timeout(CONNECTION_TIMEOUT_MS);
        let runtime = Handle::try_current()
            .map_err(|_| BusError::Settings("live events over AMQP need a tokio runtime".into()))?;
        let hub = Hub::new();
        let transport = AmqpTransport::new(server, hub.clone(), runtime);
        Ok(Self::over(hub, Arc::new(transport)))
    }
}

/// The sending side; the task ends when it is dropped.
struct AmqpTransport {
    shared: Arc<Shared>,
    outgoing: mpsc::Sender<Frame>,
    begun: Once,
    /// What the task begins with.
    waiting: Mutex<Option<(AmqpServer, mpsc::Receiver<Frame>, Handle)>>,
    stop: CancellationToken,
    _stop: DropGuard,
}

/// What the task and the sending side share.
struct Shared {
    hub: Arc<Hub>,
    /// By which a pod knows its own frames when they come back.
    origin: [u8; 16],
    interest: Notify,
    connected: AtomicBool,
    /// Something of ours may not have reached the others, and they do not know yet.
    gap: AtomicBool,
    dropped: AtomicU64,
    /// Bytes of payload in the queue.
    waiting: AtomicUsize,
    /// Since when the broker has owed an answer without giving any.
    owed: Mutex<Option<Instant>>,
}

impl Shared {
    fn new(hub: Arc<Hub>) -> Self {
        Self {
            hub,
            origin: frame::new_origin(),
            interest: Notify::new(),
            connected: AtomicBool::new(false),
            gap: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            owed: Mutex::default(),
        }
    }

    /// Notes that the broker owes an answer, which it may do already.
    fn ask(&self) {
        self.owed().get_or_insert_with(Instant::now);
    }

    /// Notes that the broker has answered, and whether it owes more.
    fn answered(&self, owes_more: bool) {
        *self.owed() = owes_more.then(Instant::now);
    }

    /// Whether the broker has owed an answer for too long.
    fn is_stuck(&self) -> bool {
        self.owed().is_some_and(|since| since.elapsed() > PATIENCE)
    }

    /// The time is put in and taken out whole, so a poisoned lock is sound.
    fn owed(&self) -> MutexGuard<'_, Option<Instant>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes room in the queue for a payload; tells whether there is any.
    fn reserve(&self, bytes: usize) -> bool {
        let fits = self.waiting.fetch_add(bytes, Ordering::AcqRel) + bytes <= QUEUE_BYTES;
        if !fits {
            self.release(bytes);
        }
        fits
    }

    fn release(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Ordering::AcqRel);
    }
}

impl AmqpTransport {
    fn new(server: AmqpServer, hub: Arc<Hub>, runtime: Handle) -> Self {
        let (outgoing, frames) = mpsc::channel(QUEUE);
        let stop = CancellationToken::new();
        Self {
            shared: Arc::new(Shared::new(hub)),
            outgoing,
            begun: Once::new(),
            waiting: Mutex::new(Some((server, frames, runtime))),
            _stop: stop.clone().drop_guard(),
            stop,
        }
    }

    fn start(&self) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((server, frames, runtime)) = waiting else { return };
        let (shared, stopped) = (self.shared.clone(), self.stop.clone());
        runtime.spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = keep_connected(server, shared, frames) => {}
            }
        });
    }
}

impl LiveTransport for AmqpTransport {
    fn publish(&self, route: Route, event: &LiveEvent) {
        self.begin();
        let bytes = event.payload.len();
        let reserved = self.shared.reserve(bytes);
        if !reserved || self.outgoing.try_send(Frame::Event(route, event.clone())).is_err() {
            if reserved {
                self.shared.release(bytes);
            }
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            self.shared.gap.store(true, Ordering::Release);
        }
    }

    // The task asks the hub what is wanted by the time it looks.
    fn set_interest(&self, _shard: u8, _wanted: bool) {
        self.begin();
        self.shared.interest.notify_one();
    }

    fn is_connected(&self) -> bool {
        self.begin();
        self.shared.connected.load(Ordering::Acquire)
    }

    fn begin(&self) {
        self.begun.call_once(|| self.start());
    }
}

async fn keep_connected(server: AmqpServer, shared: Arc<Shared>, mut frames: mpsc::Receiver<Frame>) {
    let mut backoff = FIRST_BACKOFF;
    loop {
        match Session::open(&server, &shared).await {
            Ok(mut session) => {
                tracing::info!("live events: connected to the broker");
                backoff = FIRST_BACKOFF;
                let Err(error) = session.run(&mut frames).await;
                shared.connected.store(false, Ordering::Release);
                shared.answered(false);
                if session.has_unsettled() {
                    shared.gap.store(true, Ordering::Release);
                }
                tracing::warn!(%error, "live events: lost the broker; trying again");
            }
            Err(error) => tracing::warn!(%error, retry_in_ms = backoff.as_millis(), "live events: no broker"),
        }
        tokio::time::sleep(backoff).await;
        backoff = (backoff * 2).min(LAST_BACKOFF);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_for_the_broker_is_bounded_in_bytes() {
        const PAYLOAD: usize = 100 * 1024;
        let server = AmqpServer::new("amqp://127.0.0.1:1", &AmqpTlsSettings::default(), HEARTBEAT).unwrap();
        let transport = AmqpTransport::new(server, Hub::new(), Handle::current());
        let (_, mut frames, _) = transport.waiting.lock().unwrap().take().unwrap();
        let shared = transport.shared.clone();
        let event = LiveEvent::new("key", "kind", vec![0; PAYLOAD]);

        (0..1000).for_each(|_| transport.publish(Route::All, &event));

        let waiting = std::iter::from_fn(|| frames.try_recv().ok()).count();
        assert_eq!(waiting, QUEUE_BYTES / PAYLOAD);
        assert!(shared.gap.load(Ordering::Acquire), "the drop is made known");
        shared.release(PAYLOAD);
        transport.publish(Route::All, &event);
        assert!(frames.try_recv().is_ok(), "there is room again");
    }
}
