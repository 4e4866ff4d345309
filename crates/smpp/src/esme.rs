//! An ESME that keeps itself bound: the tokio driver around [`crate::session`].
//!
//! In: submissions and queries through an [`Esme`] handle. Out: [`Event`]s on one bounded channel, the [`EsmeState`]
//! to watch, counters. It connects, binds and, when the link is lost, tries again for ever: after 1 to 60 seconds
//! with jitter, or slowly and in a visible alarm state when the SMSC refuses the credentials. When the SMSC throttles,
//! it pauses the bind and lowers its rate by itself; the throttled submission goes back to its owner.
//!
//! The owner must keep reading events: while the channel is full nothing more is read from the SMSC, and in the end
//! no submission is taken either. So never await [`Esme::submit`] or [`Esme::query`] in the task that reads events.

mod backoff;
mod connect;
mod driver;
mod link;
mod pace;
mod probe;
mod settings;
mod stats;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::codec::time::shorter_time;
use crate::codec::{CommandStatus, DeliverSm, EncodeError, FrameError, QuerySm, QuerySmResp, SubmitSm};
use crate::session::DeliveryId;
pub use crate::session::{BindKind, CloseReason, InFlight, QueryError, Response};
use crate::tls::{ClientTls, TlsFailure};
pub use probe::{Answered, Brought, Probe, ProbeError};
pub use settings::{EsmeSettings, InterfaceVersion, Password, UnknownInterfaceVersion};
use stats::Counters;
pub use stats::EsmeStats;

/// One submit_sm to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The owner's name for it; repeated in the events about it.
    pub token: u64,
    /// The message.
    pub pdu: SubmitSm,
    /// The last moment at which it may leave its queue to be written; `None` for no such moment. A relative validity_period
    /// of under a day, which counts from when the SMSC gets it, is shortened by then to end at that moment.
    pub not_after: Option<Instant>,
}

impl Submission {
    fn is_late(&self, now: Instant) -> bool {
        self.not_after.is_some_and(|last| last < now)
    }

    fn take_off_what_it_waited(&mut self, now: Instant) {
        let left = self.not_after.map(|last| last.saturating_duration_since(now));
        if let Some(shorter) = left.and_then(|left| shorter_time(&self.pdu.validity_period, left)) {
            self.pdu.validity_period = shorter;
        }
    }
}

/// What an ESME tells its owner. Every submission that [`Esme::submit`] took gets exactly one of `Responded`,
/// `NotSent`, `Invalid`, `Unknown` (which a `LateResponse` may follow), or a place in `Unbound`'s list.
#[derive(Debug)]
pub enum Event {
    /// The bind stands.
    Bound {
        /// The SMSC's name for itself.
        system_id: String,
    },
    /// The bind is gone; a new one is on its way unless the ESME is held or was shut down.
    Unbound {
        /// Why.
        reason: LinkError,
        /// Submissions without a response: their outcome is unknown (those with `reported` had their `Unknown`).
        in_flight: Vec<InFlight>,
    },
    /// A submission was answered.
    Responded(Response),
    /// A submission was answered after its `Unknown`.
    LateResponse(Response),
    /// No response in time: the SMSC may or may not have the message.
    Unknown {
        /// The submission.
        token: u64,
    },
    /// Certainly not sent, as there is no bind, the link was lost before the write, or its time was past; it may be
    /// submitted again.
    NotSent {
        /// The submission.
        token: u64,
    },
    /// The message does not fit a submit_sm; nothing was sent.
    Invalid {
        /// The submission.
        token: u64,
        /// Why.
        error: EncodeError,
    },
    /// The SMSC brings a message or a receipt.
    Deliver(Delivery),
}

/// A deliver_sm or data_sm. Dropped without an answer, it stays unanswered, and the SMSC will bring it again.
#[derive(Debug)]
pub struct Delivery {
    /// What it brings; the text is [`DeliverSm::text`].
    pub message: DeliverSm,
    id: DeliveryId,
    link: u64,
    answers: Arc<Answers>,
}

impl Delivery {
    /// Answers it: [`CommandStatus::ROK`] once it is kept, [`CommandStatus::RX_T_APPN`] to have it brought again.
    /// Without effect when the link it came over is gone.
    pub fn answer(self, status: CommandStatus) {
        let answer = Answer { link: self.link, id: self.id, status };
        self.answers.given.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
        self.answers.wake.notify_one();
    }
}

#[derive(Debug)]
struct Answer {
    link: u64,
    id: DeliveryId,
    status: CommandStatus,
}

/// Answers on their way to the driver: at most one for each delivery handed out, and so bounded by the event channel.
#[derive(Debug, Default)]
struct Answers {
    given: Mutex<Vec<Answer>>,
    wake: Notify,
}

impl Answers {
    fn take(&self) -> Vec<Answer> {
        std::mem::take(&mut *self.given.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Why there is no link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(io::ErrorKind),
    /// A connection, but no TLS session over it.
    #[error("TLS: {0}")]
    Tls(TlsFailure),
    /// The connection broke, or the peer closed it.
    #[error("connection lost: {0}")]
    Lost(io::ErrorKind),
    /// What came in was not SMPP.
    #[error("out of step: {0}")]
    Framing(FrameError),
    /// The session ended.
    #[error(transparent)]
    Closed(CloseReason),
}

impl LinkError {
    fn lost(error: &io::Error) -> Self {
        TlsFailure::of(error).map_or_else(|| Self::Lost(error.kind()), Self::Tls)
    }
}

/// What an ESME is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EsmeState {
    /// Connecting or binding.
    Connecting,
    /// Bound: submissions are sent.
    Bound,
    /// Waiting before the next connection.
    Waiting {
        /// What ended the last one.
        error: LinkError,
    },
    /// The SMSC refuses the credentials: somebody must look. It still tries, slowly.
    Alarm {
        /// What the SMSC said.
        status: CommandStatus,
    },
    /// Unbound, as its owner wants it: see [`Esme::hold`].
    Held,
    /// Shut down.
    Closed,
}

/// A query_sm and who waits for its answer.
struct Query {
    pdu: QuerySm,
    reply: oneshot::Sender<Result<QuerySmResp, QueryError>>,
}

/// The ESME was shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ESME was shut down")]
pub struct Closed;

/// A handle to a running ESME; clones are the same one. It ends at [`Esme::shutdown`], or when the last handle or the
/// receiver of its events is dropped.
#[derive(Debug, Clone)]
pub struct Esme {
    submissions: mpsc::Sender<Submission>,
    queries: mpsc::Sender<Query>,
    state: watch::Receiver<EsmeState>,
    counters: Arc<Counters>,
    held: watch::Sender<bool>,
    tls: Arc<Mutex<Option<ClientTls>>>,
    stop: CancellationToken,
}

impl Esme {
    /// Starts one on the current tokio runtime.
    pub fn spawn(settings: EsmeSettings) -> (Self, mpsc::Receiver<Event>) {
        let queue = settings.queue.max(1);
        let (submissions, submissions_in) = mpsc::channel(queue);
        let (queries, queries_in) = mpsc::channel(64);
        let (events, events_out) = mpsc::channel(queue.max(settings.window));
        let (state_in, state) = watch::channel(EsmeState::Connecting);
        let counters = Arc::new(Counters::default());
        let stop = CancellationToken::new();
        let held = watch::Sender::new(settings.held);
        let tls = Arc::new(Mutex::new(settings.tls.clone()));
        let inputs = driver::Inputs {
            submissions: submissions_in,
            queries: queries_in,
            answers: Arc::default(),
            held: held.subscribe(),
            tls: Arc::clone(&tls),
            stop: stop.clone(),
        };
        let outputs = driver::Outputs::new(events, state_in, Arc::clone(&counters));
        tokio::spawn(driver::run(settings, inputs, outputs));
        (Self { submissions, queries, state, counters, held, tls, stop }, events_out)
    }

    /// Holds it, or lets it go. Held, it takes no more submissions (they come back as `NotSent`), waits for responses
    /// for [`EsmeSettings::drain`] at most, unbinds and stays so; let go, it binds again at once.
    pub fn hold(&self, held: bool) {
        self.held.send_if_modified(|now| std::mem::replace(now, held) != held);
    }

    /// Gives other certificates for the connections to come; the one that stands keeps its own.
    pub fn renew_tls(&self, tls: ClientTls) {
        *self.tls.lock().unwrap_or_else(PoisonError::into_inner) = Some(tls);
    }

    /// Hands over submissions, in their order; waits while the queue is full. Without a bind each comes back as
    /// [`Event::NotSent`].
    ///
    /// # Errors
    /// [`Closed`] when the ESME has ended; the submissions for which there will be no event were not sent.
    pub async fn submit(&self, submissions: Vec<Submission>) -> Result<(), Closed> {
        for submission in submissions {
            self.submissions.send(submission).await.map_err(|_| Closed)?;
        }
        Ok(())
    }

    /// Asks the SMSC for the state of a message. It takes a slot of the window while it waits.
    ///
    /// # Errors
    /// [`QueryError`], see its variants.
    pub async fn query(&self, pdu: QuerySm) -> Result<QuerySmResp, QueryError> {
        let (reply, answer) = oneshot::channel();
        self.queries.send(Query { pdu, reply }).await.map_err(|_| QueryError::NotSent)?;
        answer.await.unwrap_or(Err(QueryError::NoAnswer))
    }

    /// Gives the state now.
    pub fn state(&self) -> EsmeState {
        *self.state.borrow()
    }

    /// Gives the state to watch.
    pub fn watch(&self) -> watch::Receiver<EsmeState> {
        self.state.clone()
    }

    /// Gives the counters.
    pub fn stats(&self) -> EsmeStats {
        self.counters.stats(self.submissions.max_capacity() - self.submissions.capacity())
    }

    /// Ends it: what is queued comes back as `NotSent`, responses are waited for, the bind is undone. Returns when the
    /// last event is in the channel, so events must be read meanwhile.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        let mut state = self.state.clone();
        // An error says that the driver is gone, which is the same.
        let _ = state.wait_for(|state| *state == EsmeState::Closed).await;
    }
}
