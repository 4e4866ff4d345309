//! Websockets that cost about a kilobyte each while idle.
//!
//! [`upgrade`] answers a handshake; once the answer is written, the TCP stream is taken over from the HTTP dispatcher
//! (which would keep two fixed buffers for it) and handed to the session as a [`Socket`]. The session is a local future
//! on the same worker thread. When the process drains, every socket is closed with 1012 and waited for.

mod close;
mod frame;
mod limits;
mod queue;
mod socket;
mod tracker;
pub(crate) mod wheel;

use std::{cell::RefCell, fmt, rc::Rc};

use actix_http::ws::{HandshakeError, hash_key, verify_handshake};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, http::header};
use bytes::BytesMut;
use common::models::problem::{Problem, ProblemKind};
use futures_util::future::LocalBoxFuture;
use tokio::net::TcpStream;

pub(crate) use self::tracker::Sockets;
use self::wheel::Wheel;
pub use self::{
    close::CloseCode,
    frame::{Fault, Frame, Incoming, Message, Reader},
    limits::SocketLimits,
    socket::{Draining, End, SendError, Socket},
};
use crate::Failure;

/// What a worker can do for an upgrade; in the extensions of every request that may be upgraded.
#[derive(Clone)]
pub(crate) struct Seats {
    sockets: Sockets,
    wheel: Rc<Wheel>,
    limits: Rc<RefCell<Vec<Rc<SocketLimits>>>>,
}

impl Seats {
    /// Those of the current worker.
    pub(crate) fn of(sockets: &Sockets) -> Self {
        Self { sockets: sockets.clone(), wheel: sockets.start_wheel(), limits: Rc::default() }
    }

    /// The limits as all sockets of this worker that have the same hold them: a service has few different ones.
    fn share(&self, limits: SocketLimits) -> Rc<SocketLimits> {
        let mut known = self.limits.borrow_mut();
        if let Some(same) = known.iter().find(|known| ***known == limits) {
            return Rc::clone(same);
        }
        known.retain(|held| Rc::strong_count(held) > 1);
        let limits = Rc::new(limits);
        known.push(Rc::clone(&limits));
        limits
    }
}

type Session = Box<dyn FnOnce(Socket) -> LocalBoxFuture<'static, ()>>;

/// What [`upgrade`] leaves in the response for the part that takes the stream over.
pub(crate) struct Start {
    seats: Seats,
    limits: SocketLimits,
    session: Session,
}

impl fmt::Debug for Start {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Start").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Start {
    /// Starts the session on the current worker. `read` is what came along with the request.
    pub(crate) fn run(self, io: TcpStream, read: BytesMut) {
        let limits = self.seats.share(self.limits);
        let Seats { sockets, wheel, .. } = self.seats;
        let socket = Socket::new(io, read, limits, sockets.seat(wheel));
        sockets.spawn((self.session)(socket));
    }
}

/// Answers a websocket handshake (RFC 6455 §4.2) and starts `session` with the socket once the answer is written.
///
/// Return the response as it is, or with headers added (`Sec-WebSocket-Protocol`).
///
/// # Errors
/// 400 when the request is not a handshake of version 13, 503 when the process has all the sockets it may have or is
/// stopping.
pub fn upgrade<S, F>(request: &HttpRequest, limits: SocketLimits, session: S) -> Result<HttpResponse, Failure>
where
    S: FnOnce(Socket) -> F + 'static,
    F: Future<Output = ()> + 'static,
{
    verify_handshake(request.head()).map_err(refusal)?;
    let Some(seats) = request.extensions().get::<Seats>().cloned() else {
        // An upgrade with a body stays with the dispatcher, which could not hand the stream over.
        return Err(bad_handshake("a websocket handshake has no body"));
    };
    if !seats.sockets.has_room() {
        return Err(Failure::unavailable("no more sockets are accepted at the moment"));
    }
    let key = request
        .headers()
        .get(header::SEC_WEBSOCKET_KEY)
        .ok_or_else(|| bad_handshake("the key is missing"))?;
    let accept = hash_key(key.as_bytes());
    let mut response = HttpResponse::SwitchingProtocols()
        .upgrade("websocket")
        .insert_header((header::SEC_WEBSOCKET_ACCEPT, &accept[..]))
        .finish();
    let session: Session = Box::new(move |socket| Box::pin(session(socket)));
    response.extensions_mut().insert(Start { seats, limits, session });
    Ok(response)
}

fn refusal(error: HandshakeError) -> Failure {
    bad_handshake(match error {
        HandshakeError::GetMethodRequired => "a websocket handshake is a GET request",
        HandshakeError::NoWebsocketUpgrade => "the header Upgrade: websocket is missing",
        HandshakeError::NoConnectionUpgrade => "the header Connection: Upgrade is missing",
        HandshakeError::NoVersionHeader => "the header Sec-WebSocket-Version is missing",
        HandshakeError::UnsupportedVersion => "this server speaks websocket version 13",
        HandshakeError::BadWebsocketKey => "Sec-WebSocket-Key is missing or not 16 bytes of base64",
    })
}

fn bad_handshake(detail: &str) -> Failure {
    Failure::problem(Problem::new(ProblemKind::Invalid).with_detail(detail))
}
