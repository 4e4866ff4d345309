//! Drives a [`Session`]: socket, live hints, revocation, store.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bus::live::LiveSubscription;
use common::models::Generation;
use common::models::ws::{ClientFrame, ServerFrame};
use db::DbError;
use futures_util::future::LocalBoxFuture;
use web::ws::{CloseCode, Message, SendError, Socket};
use web::{DeviceCaller, Watch};

use super::hints::{self, Hint};
use super::session::{Input, Output, Session, Window};
use super::sockets::{Seat, Sign};
use crate::app::State;
use crate::domain::online::OnlineEnvelope;
use crate::domain::receive::{self, Ack, Page};
use crate::domain::{MailboxError, MailboxId, Snapshot};
use crate::store::envelopes::PageRequest;
use crate::store::rows::EnvelopeKey;

/// How long a new connection waits for the one that it displaces.
const DISPLACEMENT: Duration = Duration::from_secs(1);

/// Serves one device for as long as it is connected.
///
/// There is one of these futures for each idle socket. So it is a block that uses what it was given in place (the
/// arguments of an `async fn` are held twice), and what is awaited only at the beginning and the end is boxed.
pub(crate) fn serve(
    state: Arc<State>,
    caller: DeviceCaller,
    mut socket: Socket,
) -> impl Future<Output = ()> + 'static {
    let id = MailboxId { account: caller.caller.account, device: caller.device };
    let watch = state.gate.watch(&caller.caller);
    // Heard from before the first look, so that nothing falls between the two.
    let live = state.live.subscribe(&id.live_key());
    let seat = state.sockets.take(id);
    let mut signals = Signals { watch, live, seat };
    async move {
        let code = match Box::pin(admit(&state, id, &mut signals.seat)).await {
            Ok(None) => Some(CloseCode::REPLACED),
            Ok(Some(snapshot)) => {
                let mut connection = Connection::new(&state, id, snapshot);
                let code = connection.run(&mut socket, &mut signals).await;
                Box::pin(connection.finish()).await;
                code
            }
            Err(error) => Some(code_of(&error)),
        };
        Box::pin(part(&state, id, signals, code, &mut socket)).await;
    }
}

/// What a connection hears of beside its socket.
struct Signals {
    watch: Watch,
    live: LiveSubscription,
    seat: Seat,
}

/// Claims the mailbox once the connection before has left it; not when a successor has come meanwhile, as a claim behind its
/// own would close that one.
async fn admit(state: &State, id: MailboxId, seat: &mut Seat) -> Result<Option<Snapshot>, MailboxError> {
    seat.earlier_left(DISPLACEMENT).await;
    if seat.is_displaced() {
        return Ok(None);
    }
    let claimed = state.presence.claim(id).await;
    if let Err(MailboxError::Db(DbError::CommitUnknown(_))) = claimed {
        // The row may say from now on that the device is connected.
        state.sockets.doubt(id);
    }
    let snapshot = claimed?;
    seat.claimed(snapshot.claim);
    hints::claimed(&state.live, id, snapshot.claim);
    Ok(Some(snapshot))
}

/// Closes the socket with `code`, if it is ours to close, while the claim is ended.
async fn part(state: &State, id: MailboxId, signals: Signals, code: Option<CloseCode>, socket: &mut Socket) {
    let closing = async {
        if let Some(code) = code {
            state.metrics.sockets_closed_total.with_label_values(&[&code.as_u16().to_string()]).inc();
            socket.close(code, reason(code)).await;
        }
    };
    // At the same time: the handshake may take seconds, and the device may be back by then.
    let leaving = async {
        let Signals { seat, .. } = signals;
        leave(state, id, seat.claim(), code).await;
    };
    tokio::join!(closing, leaving);
}

async fn leave(state: &State, id: MailboxId, claim: i64, code: Option<CloseCode>) {
    // Without a claim there is nothing to end. A successor has claimed the mailbox, or is about to: ended now, the
    // device would be told of the envelopes that it is just fetching.
    let left = match (claim, code) {
        (0, _) => return,
        (_, Some(CloseCode::REPLACED)) => None,
        _ => Some(state.presence.leave(id, claim).await),
    };
    match left {
        Some(Ok(true)) => state.relay.wake(),
        Some(Ok(false)) => {}
        Some(Err(error)) => {
            tracing::debug!(%error, "a claim could not be ended; trying again later");
            state.sockets.owe(id, claim);
        }
        None => state.sockets.owe(id, claim),
    }
}

struct Connection<'a> {
    state: &'a State,
    id: MailboxId,
    /// The life of the device.
    generation: Generation,
    session: Session,
    first: Vec<Output>,
    /// The page that is being read.
    page: Option<LocalBoxFuture<'a, Result<Page, MailboxError>>>,
    /// The acks that are being stored.
    storing: Option<LocalBoxFuture<'a, Result<(), MailboxError>>>,
    /// Those that came meanwhile.
    acked: Vec<EnvelopeKey>,
}

/// What a step led to.
type Step = Result<(), CloseCode>;

impl<'a> Connection<'a> {
    fn new(state: &'a State, id: MailboxId, snapshot: Snapshot) -> Self {
        let window = Window { envelopes: state.settings.window, bytes: state.settings.window_bytes };
        let (mut session, mut first) = Session::begin(snapshot.last_seq, window);
        for keys in snapshot.low.into_iter().flatten() {
            first.extend(session.step(Input::KeysLow(keys)));
        }
        let generation = snapshot.generation;
        Self { state, id, generation, session, first, page: None, storing: None, acked: Vec::new() }
    }

    /// Runs until the connection is over; returns the code to close with, if it is ours to close.
    async fn run(&mut self, socket: &mut Socket, signals: &mut Signals) -> Option<CloseCode> {
        let first = std::mem::take(&mut self.first);
        let mut step = self.carry_out(first, socket);
        let Signals { watch, live, seat } = signals;
        loop {
            if let Err(code) = step {
                return Some(code);
            }
            let input = tokio::select! {
                message = socket.next() => match message {
                    None => return None,
                    Some(message) => Ok(Some(read(&message))),
                },
                notice = live.recv() => Ok(hints::read(&notice).and_then(|hint| self.heard(hint, seat, socket))),
                () = watch.revoked() => Ok(Some(Input::Revoked)),
                sign = seat.sign() => Ok(Some(match sign {
                    Sign::Displaced => Input::Displaced,
                    Sign::Look => Input::Notified,
                })),
                page = ready(&mut self.page) => self.fetched(page, seat).map(Some),
                stored = ready(&mut self.storing) => self.stored(stored).map(|()| None),
            };
            step = input.and_then(|input| {
                let outputs = input.map(|input| self.session.step(input)).unwrap_or_default();
                self.carry_out(outputs, socket)
            });
        }
    }

    fn heard(&self, hint: Hint, seat: &Seat, socket: &mut Socket) -> Option<Input> {
        match hint {
            Hint::Stored => Some(Input::Notified),
            Hint::KeysLow(keys) => Some(Input::KeysLow(keys)),
            Hint::Closed(generation) => (generation == self.generation).then_some(Input::Revoked),
            Hint::Online(envelope) => self.passes(&envelope, socket).then_some(Input::Online(envelope)),
            Hint::Claimed(claim) => seat.gives_way_to(claim).then_some(Input::Displaced),
        }
    }

    /// Whether an envelope that is not stored is passed on: if it is fresh, and the client reads as fast as we write. It
    /// never takes the room of one that is.
    fn passes(&self, envelope: &OnlineEnvelope, socket: &mut Socket) -> bool {
        socket.flush();
        let fresh = envelope.server_timestamp + self.state.settings.online_ttl > self.state.clock.now();
        let passes = fresh && socket.queued_bytes() == 0;
        if passes {
            self.state.metrics.envelopes_delivered_total.with_label_values(&["online"]).inc();
        }
        passes
    }

    fn fetched(&mut self, page: Result<Page, MailboxError>, seat: &Seat) -> Result<Input, CloseCode> {
        self.page = None;
        let page = page.map_err(|error| code_of(&error))?;
        if page.holder.generation != self.generation {
            return Ok(Input::Revoked);
        }
        if page.holder.socket_claim != seat.claim() {
            return Ok(Input::Displaced);
        }
        let way = &self.state.metrics.envelopes_delivered_total;
        way.with_label_values(&["socket"]).inc_by(page.envelopes.len() as u64);
        Ok(Input::Stored { envelopes: page.envelopes, more: page.more })
    }

    fn stored(&mut self, stored: Result<(), MailboxError>) -> Step {
        self.storing = None;
        // What is not removed comes again with the next connection.
        stored.map_err(|error| code_of(&error))
    }

    fn carry_out(&mut self, outputs: Vec<Output>, socket: &mut Socket) -> Step {
        for output in outputs {
            match output {
                Output::Send(frame) => send(&frame, socket)?,
                Output::Fetch(request) => self.page = Some(self.fetch(request)),
                Output::Ack { seq, guid } => {
                    self.acked.push(EnvelopeKey { mailbox: self.id, seq, guid });
                }
                Output::Close(code) => return Err(code),
            }
        }
        self.store_acks();
        Ok(())
    }

    fn fetch(&self, request: PageRequest) -> LocalBoxFuture<'a, Result<Page, MailboxError>> {
        let (state, id) = (self.state, self.id);
        Box::pin(async move { receive::page(state, id, request).await })
    }

    /// Stores the acks that have gathered, unless earlier ones are on their way.
    fn store_acks(&mut self) {
        if self.storing.is_none() && !self.acked.is_empty() {
            let (state, id, acked) = (self.state, self.id, std::mem::take(&mut self.acked));
            self.storing =
                Some(Box::pin(async move { receive::ack(state, id, Ack::Delivered(acked)).await }));
        }
    }

    /// Stores what was acked before the end, by the last step too.
    async fn finish(mut self) {
        self.store_acks();
        while let Some(storing) = &mut self.storing {
            // A failure means that they come again.
            let stored = storing.await;
            self.storing = None;
            if stored.is_ok() {
                self.store_acks();
            }
        }
    }
}

async fn ready<T>(slot: &mut Option<LocalBoxFuture<'_, T>>) -> T {
    match slot {
        Some(future) => future.await,
        None => pending().await,
    }
}

fn read(message: &Message) -> Input {
    match message {
        Message::Text(text) => {
            serde_json::from_str::<ClientFrame>(text).map_or(Input::Malformed, Input::Frame)
        }
        Message::Binary(_) => Input::Malformed,
    }
}

fn send(frame: &ServerFrame, socket: &mut Socket) -> Step {
    let text = serde_json::to_string(frame).map_err(|_| CloseCode::ERROR)?;
    // Over the limit, the peer reads too slowly; closed, the next look at the socket tells.
    match socket.send_text(&text) {
        Err(SendError::Full) => Err(CloseCode::TRY_AGAIN),
        Ok(()) | Err(SendError::Closed) => Ok(()),
    }
}

fn code_of(error: &MailboxError) -> CloseCode {
    match error {
        MailboxError::NotFound => CloseCode::REVOKED,
        MailboxError::Db(DbError::Overloaded(_)) => CloseCode::TRY_AGAIN,
        error => {
            tracing::warn!(%error, "a websocket is closed");
            CloseCode::ERROR
        }
    }
}

fn reason(code: CloseCode) -> &'static str {
    match code {
        CloseCode::REVOKED => "log in again",
        CloseCode::REPLACED => "connected elsewhere",
        CloseCode::INVALID => "not a frame of this protocol",
        CloseCode::TRY_AGAIN => "too much at the moment: read faster, or come back later",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How large a future is before it is made.
    fn size_of_future<F: Future>(_: fn(Arc<State>, DeviceCaller, Socket) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_connection_holds_less_than_a_kilobyte() {
        let size = size_of_future(serve);

        assert!(size < 1000, "{size} bytes");
    }
}
