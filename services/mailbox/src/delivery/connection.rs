//! Drives a [`Session`]: socket, live hints, revocation, store.

use std::future::pending;
use std::time::Duration;

use common::models::ws::{ClientFrame, ServerFrame};
use futures_util::future::LocalBoxFuture;
use web::DeviceCaller;
use web::ws::{CloseCode, Message, Socket};

use super::hints::{self, Hint};
use super::session::{Input, Output, Session, Window};
use super::sockets::Seat;
use crate::app::State;
use crate::domain::receive::{self, Ack, Page, Snapshot};
use crate::domain::{MailboxError, MailboxId};
use crate::store::envelopes::PageRequest;
use crate::store::rows::EnvelopeKey;

/// How long a new connection waits for the one that it displaces.
const DISPLACEMENT: Duration = Duration::from_secs(1);

/// Serves one device for as long as it is connected.
pub(crate) async fn serve(state: State, caller: DeviceCaller, mut socket: Socket) {
    let id = MailboxId { account: caller.caller.account, device: caller.device };
    let mut watch = state.gate.watch(&caller.caller);
    // Heard from before the first look, so that nothing falls between the two.
    let mut live = state.live.subscribe(&id.live_key());
    let mut seat = state.sockets.take(id);
    hints::connected(&state.live, id, seat.announcement());
    seat.earlier_left(DISPLACEMENT).await;

    let code = match receive::snapshot(&state, id).await {
        Ok(snapshot) => {
            let mut connection = Connection::new(&state, id, snapshot);
            let code = connection.run(&mut socket, &mut live, &mut watch, &seat).await;
            connection.finish().await;
            code
        }
        Err(error) => Some(code_of(&error)),
    };
    // Before the close handshake, which may take seconds: the device may be back by then.
    drop(seat);
    if let Some(code) = code {
        state.metrics.sockets_closed_total.with_label_values(&[&code.as_u16().to_string()]).inc();
        socket.close(code, reason(code)).await;
    }
}

struct Connection<'a> {
    state: &'a State,
    id: MailboxId,
    snapshot: Snapshot,
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
        let (session, first) = Session::begin(snapshot.last_seq, window);
        Self { state, id, snapshot, session, first, page: None, storing: None, acked: Vec::new() }
    }

    /// Runs until the connection is over; returns the code to close with, if it is ours to close.
    async fn run(
        &mut self,
        socket: &mut Socket,
        live: &mut bus::live::LiveSubscription,
        watch: &mut web::Watch,
        seat: &Seat,
    ) -> Option<CloseCode> {
        let first = std::mem::take(&mut self.first);
        let mut step = self.carry_out(first, socket);
        loop {
            if let Err(code) = step {
                return Some(code);
            }
            let input = tokio::select! {
                message = socket.next() => match message {
                    None => return None,
                    Some(message) => Ok(Some(read(&message))),
                },
                notice = live.recv() => Ok(hints::read(&notice).and_then(|hint| self.heard(hint, seat))),
                () = watch.revoked() => Ok(Some(Input::Revoked)),
                () = seat.displaced() => Ok(Some(Input::Displaced)),
                page = ready(&mut self.page) => self.fetched(page).map(Some),
                stored = ready(&mut self.storing) => self.stored(stored).map(|()| None),
                () = tokio::time::sleep(self.state.settings.recheck) => Ok(Some(Input::Notified)),
            };
            step = input.and_then(|input| {
                let outputs = input.map(|input| self.session.step(input)).unwrap_or_default();
                self.carry_out(outputs, socket)
            });
        }
    }

    fn heard(&self, hint: Hint, seat: &Seat) -> Option<Input> {
        match hint {
            Hint::Stored => Some(Input::Notified),
            Hint::KeysLow(keys) => Some(Input::KeysLow(keys)),
            Hint::Closed(generation) => (generation == self.snapshot.generation).then_some(Input::Revoked),
            Hint::Connected(other) => seat.gives_way_to(other).then_some(Input::Displaced),
        }
    }

    fn fetched(&mut self, page: Result<Page, MailboxError>) -> Result<Input, CloseCode> {
        self.page = None;
        let page = page.map_err(|error| code_of(&error))?;
        if page.generation != self.snapshot.generation {
            return Ok(Input::Revoked);
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

    /// Stores what was acked before the end.
    async fn finish(mut self) {
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
        Err(web::ws::SendError::Full) => Err(CloseCode::TRY_AGAIN),
        Ok(()) | Err(web::ws::SendError::Closed) => Ok(()),
    }
}

fn code_of(error: &MailboxError) -> CloseCode {
    match error {
        MailboxError::NotFound => CloseCode::REVOKED,
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
        CloseCode::TRY_AGAIN => "read faster",
        _ => "",
    }
}
