//! Websockets: sessions that begin on one, and sessions that move to one.
//!
//! There is one future for each idle socket, so it is kept small: what is awaited only at the beginning and the end is
//! boxed, and nothing is an argument of an `async fn` (those are held twice).

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::{HttpRequest, HttpResponse};
use futures_util::future::{LocalBoxFuture, poll_fn};
use tokio::time::{Sleep, sleep_until, timeout_at};
use web::ws::{self, CloseCode, End, Socket, SocketLimits};

use super::drive::{self, Clock, Leaving};
use super::link::{Turn, Turns};
use super::request::{Opening, Refused};
use super::{Engine, Link, Message, Protocol};
use crate::codec::Malformed;
use crate::codec::engine::Packet;
use crate::handled::Handled;
use crate::session::Reason;
use crate::settings::Settings;

/// A socket is given more while less than this waits in it.
const ROOM_BYTES: usize = 32 * 1024;

/// Opens a session on a websocket.
pub(super) fn open<P: Protocol>(
    engine: &Arc<Engine<P>>,
    request: &HttpRequest,
    opening: Opening,
) -> Result<HttpResponse, Refused> {
    let engine = Arc::clone(engine);
    upgrade(request, &engine.settings.clone(), move |socket| {
        let link = Link::open(&engine, opening.peer, true);
        async move {
            match link {
                Ok(link) => carry(link, socket).await,
                Err(_) => drop(socket),
            }
        }
    })
}

/// Lets a websocket try to carry a session that polls.
pub(super) fn attach<P: Protocol>(
    link: &Arc<Link<P>>,
    request: &HttpRequest,
) -> Result<HttpResponse, Refused> {
    let link = Arc::clone(link);
    upgrade(request, &link.engine().settings.clone(), move |mut socket| async move {
        if Box::pin(probe(&link, &mut socket)).await {
            link.engine().counters.upgraded.fetch_add(1, Relaxed);
            carry(link, socket).await;
        } else {
            Box::pin(socket.close(CloseCode::POLICY, "not upgraded")).await;
        }
    })
}

fn upgrade<F: Future<Output = ()> + 'static>(
    request: &HttpRequest,
    settings: &Settings,
    session: impl FnOnce(Socket) -> F + 'static,
) -> Result<HttpResponse, Refused> {
    ws::upgrade(request, limits(settings), session).map_err(|failure| {
        if failure.as_problem().status == 400 {
            Refused::BadRequest
        } else {
            Refused::Host(Box::new(failure))
        }
    })
}

fn limits(settings: &Settings) -> SocketLimits {
    // Engine.IO has a heartbeat of its own; the socket's is for what that does not reach, such as a probe.
    let silence = settings.ping_interval + settings.ping_timeout + settings.upgrade_timeout;
    SocketLimits {
        message_bytes: settings.max_payload,
        ping: silence,
        idle: 2 * silence,
        ..SocketLimits::default()
    }
}

/// The first words on a websocket that is to carry a session. Tells whether it does now.
async fn probe<P: Protocol>(link: &Arc<Link<P>>, socket: &mut Socket) -> bool {
    if link.attach().is_err() {
        return false;
    }
    let attached = Attached(link);
    let deadline = Instant::now() + link.engine().settings.upgrade_timeout;
    while let Ok(Some(message)) = timeout_at(deadline.into(), socket.next()).await {
        match message {
            ws::Message::Text(text) if text == "2probe" => {
                if !link.probed() || socket.send_text("3probe").is_err() {
                    return false;
                }
            }
            ws::Message::Text(text) if text == "5" => {
                let carries = link.upgrade();
                // What was posted before is dealt with before anything is read here.
                poll_fn(
                    |context| if link.is_idle(context.waker()) { Poll::Ready(()) } else { Poll::Pending },
                )
                .await;
                drop(attached);
                return carries;
            }
            _ => return false,
        }
    }
    false
}

/// A websocket that does not carry the session yet.
struct Attached<'a, P: Protocol>(&'a Link<P>);

impl<P: Protocol> Drop for Attached<'_, P> {
    fn drop(&mut self) {
        self.0.detach();
    }
}

/// Carries a session to its end.
#[expect(
    clippy::manual_async_fn,
    reason = "an async fn holds its arguments twice; there is one for each idle socket"
)]
fn carry<P: Protocol>(link: Arc<Link<P>>, mut socket: Socket) -> impl Future<Output = ()> {
    async move {
        let reason = {
            let _leaving = Leaving(Some(&*link));
            let _counted = Counted::new(&link);
            let clock = Clock::new(&link);
            let mut carrier = Carrier { link: &link, socket: &mut socket, busy: None, clock };
            let mut timer = pin!(sleep_until(Instant::now().into()));
            let reason = poll_fn(|context| carrier.poll(timer.as_mut(), context)).await;
            link.finish();
            reason
        };
        Box::pin(part(&link, &mut socket, reason)).await;
    }
}

/// A socket among those that carry sessions.
struct Counted<'a, P: Protocol>(&'a Engine<P>);

impl<'a, P: Protocol> Counted<'a, P> {
    fn new(link: &'a Link<P>) -> Self {
        link.engine().counters.websockets.fetch_add(1, Relaxed);
        Self(link.engine())
    }
}

impl<P: Protocol> Drop for Counted<'_, P> {
    fn drop(&mut self) {
        self.0.counters.websockets.fetch_sub(1, Relaxed);
    }
}

struct Carrier<'a, P: Protocol> {
    link: &'a Arc<Link<P>>,
    socket: &'a mut Socket,
    /// The message that is being dealt with.
    busy: Option<LocalBoxFuture<'static, Result<(), Reason>>>,
    clock: Clock,
}

impl<P: Protocol> Carrier<'_, P> {
    /// Reads, writes and times until the session has ended.
    fn poll(&mut self, mut timer: Pin<&mut Sleep>, context: &mut Context<'_>) -> Poll<Reason> {
        loop {
            self.write();
            match &mut self.busy {
                Some(busy) => match busy.as_mut().poll(context) {
                    Poll::Ready(outcome) => {
                        self.busy = None;
                        self.dealt(outcome);
                        continue;
                    }
                    Poll::Pending => {
                        // Not read from, it still has to be written to.
                        let _written = self.socket.poll_flush(context);
                        // What is being dealt with may wait for room, which nobody makes any more.
                        if self.link.ended().is_none() {
                            if self.socket.is_draining() {
                                self.link.end(Reason::Draining);
                            } else if self.socket.end().is_some() {
                                self.link.end(reason(self.socket.end()));
                            }
                        }
                    }
                },
                None if self.link.ended().is_some() => {}
                None => match self.socket.poll_next(context) {
                    Poll::Ready(Some(message)) => {
                        self.read(message);
                        continue;
                    }
                    Poll::Ready(None) => self.link.end(reason(self.socket.end())),
                    Poll::Pending => {}
                },
            }
            let room = self.socket.queued_bytes() < ROOM_BYTES;
            match self.link.turn(Turns::Websocket { busy: self.busy.is_some(), room }, context.waker()) {
                Turn::Ended(reason) => return Poll::Ready(reason),
                Turn::Attend => self.link.engine().protocol.attend(self.link),
                Turn::Send | Turn::Moved => {}
                Turn::Wait(until) => {
                    if self.clock.poll(self.link, until, timer.as_mut(), context).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Gives the socket what waits, as far as it has room.
    fn write(&mut self) {
        while self.socket.queued_bytes() < ROOM_BYTES {
            let batch = self.link.take_batch();
            if batch.is_empty() {
                return;
            }
            for frame in batch {
                // The socket has room; closed, its next poll tells.
                let _ = self.socket.send(frame);
            }
            self.socket.flush();
        }
    }

    fn read(&mut self, message: ws::Message) {
        let packet = match &message {
            ws::Message::Text(text) => Packet::decode(text),
            ws::Message::Binary(data) => Ok(Packet::Binary(data.clone())),
        };
        let handled = match packet {
            Ok(Packet::Text(data)) => drive::message(self.link, Message::Text(data)),
            Ok(Packet::Binary(data)) => drive::message(self.link, Message::Binary(data)),
            Ok(Packet::Pong(_)) => return self.link.pong(),
            Ok(Packet::Close) => Err(Reason::ClientClosed).into(),
            Ok(Packet::Open(_) | Packet::Ping(_) | Packet::Upgrade | Packet::Noop) => {
                Err(Reason::Malformed(Malformed("a packet that a client does not send"))).into()
            }
            Err(malformed) => Err(Reason::Malformed(malformed)).into(),
        };
        match handled {
            Handled::Now(outcome) => self.dealt(outcome),
            Handled::Later(outcome) => self.busy = Some(outcome),
        }
    }

    fn dealt(&self, outcome: Result<(), Reason>) {
        if let Err(reason) = outcome {
            self.link.end(reason);
        }
    }
}

/// Closes the socket, after what a client that is sent away may still get.
async fn part<P: Protocol>(link: &Link<P>, socket: &mut Socket, reason: Reason) {
    if socket.end().is_none() {
        loop {
            let batch = link.take_batch();
            if batch.is_empty() {
                break;
            }
            // Over the socket's limit, the rest is for a client that does not read.
            let _ = batch.into_iter().try_for_each(|frame| socket.send(frame));
        }
        socket.close(code(reason), &reason.to_string()).await;
    }
}

/// Why a session ends whose socket has ended.
fn reason(end: Option<End>) -> Reason {
    match end {
        Some(End::Peer(_) | End::Local(_)) => Reason::ClientClosed,
        Some(End::Fault(CloseCode::TRY_AGAIN)) => Reason::SlowConsumer,
        Some(End::Fault(_)) => Reason::Malformed(Malformed("a websocket that breaks the rules")),
        Some(End::Drain) => Reason::Draining,
        Some(End::Idle) => Reason::PingTimeout,
        Some(End::Lost) | None => Reason::Lost,
    }
}

/// The close code that a client gets.
fn code(reason: Reason) -> CloseCode {
    match reason {
        Reason::ClientLeft | Reason::ClientClosed | Reason::Lost => CloseCode::NORMAL,
        Reason::PingTimeout => CloseCode::AWAY,
        Reason::ConnectTimeout | Reason::Concurrent | Reason::Application(_) => CloseCode::POLICY,
        Reason::Malformed(_) => CloseCode::PROTOCOL,
        Reason::SlowConsumer => CloseCode::TRY_AGAIN,
        Reason::Draining => CloseCode::RESTART,
        Reason::Fault => CloseCode::ERROR,
    }
}
