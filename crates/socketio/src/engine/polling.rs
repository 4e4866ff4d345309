//! HTTP long-polling: a poll is held until there is something to send, a post is answered when it is dealt with.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;

use actix_web::http::header;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::StreamExt;
use futures_util::future::poll_fn;
use tokio::time::{Sleep, sleep, sleep_until};
use web::ws::Frame;

use super::link::{PollAnswer, part};
use super::request::{Opening, Refused};
use super::{Engine, Link, Message, Protocol, drive};
use crate::codec::Malformed;
use crate::codec::engine::{Packet, Payload as Packets, encode_payload};
use crate::handled::Handled;
use crate::session::Reason;
use crate::session::engine::LINGER;

/// Opens a session; the answer is its handshake.
pub(super) fn open<P: Protocol>(engine: &Arc<Engine<P>>, opening: Opening) -> Result<HttpResponse, Refused> {
    let link = Link::open(engine, opening.peer, false)?;
    let handshake = link.take_batch();
    actix_rt::spawn(drive::keep(link, opening.stop));
    Ok(packets(handshake))
}

/// Holds a poll.
pub(super) async fn poll<P: Protocol>(link: &Arc<Link<P>>) -> Result<HttpResponse, Refused> {
    link.begin_poll()?;
    let held = Held::new(link);
    let mut timer: Option<std::pin::Pin<Box<Sleep>>> = None;
    let answer = poll_fn(|context| {
        loop {
            match link.poll_answer(context.waker()) {
                Ok(answer) => return Poll::Ready(answer),
                Err(None) => return Poll::Pending,
                Err(Some(until)) => {
                    let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(until.into())));
                    timer.as_mut().reset(until.into());
                    if timer.as_mut().poll(context).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    })
    .await;
    held.answered();
    match answer {
        PollAnswer::Packets(frames) => Ok(packets(frames)),
        PollAnswer::Moved => Err(Refused::BadRequest),
    }
}

/// A poll that is dropped before its answer was given up by the client.
struct Held<'a, P: Protocol> {
    link: &'a Link<P>,
    answered: bool,
}

impl<'a, P: Protocol> Held<'a, P> {
    fn new(link: &'a Link<P>) -> Self {
        link.engine().counters.polls.fetch_add(1, Relaxed);
        Self { link, answered: false }
    }

    fn answered(mut self) {
        self.answered = true;
    }
}

impl<P: Protocol> Drop for Held<'_, P> {
    fn drop(&mut self) {
        self.link.engine().counters.polls.fetch_sub(1, Relaxed);
        if !self.answered {
            self.link.end(Reason::Lost);
        }
    }
}

fn packets(frames: impl IntoIterator<Item = Frame>) -> HttpResponse {
    let frames: Vec<_> = frames.into_iter().map(|frame| (frame.payload(), frame)).collect();
    let body = encode_payload(frames.iter().map(|(payload, frame)| part(frame, payload)));
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=UTF-8"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(body)
}

/// Deals with a post.
pub(super) async fn post<P: Protocol>(
    link: &Arc<Link<P>>,
    request: &HttpRequest,
    body: Payload,
) -> Result<HttpResponse, Refused> {
    link.begin_post()?;
    let posting = Posting(Arc::clone(link));
    if is_binary(request) {
        link.end(Reason::Malformed(Malformed("a post of binary data")));
        return Err(Refused::BadRequest);
    }
    let body = match read(body, link.engine().settings.max_payload).await {
        Ok(body) => body,
        Err(ReadError::TooLarge) => return Err(Refused::TooLarge),
        Err(ReadError::Lost) => {
            link.end(Reason::Lost);
            return Err(Refused::BadRequest);
        }
    };
    let Ok(body) = String::from_utf8(body) else {
        link.end(Reason::Malformed(Malformed("a post that is not UTF-8")));
        return Err(Refused::BadRequest);
    };
    // A task of its own: a client that goes away does not stop the application in the middle of an event.
    let dealing = actix_rt::spawn(async move { deal(&posting.0, &body).await });
    match dealing.await {
        Ok(Ok(())) => Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "text/html")).body("ok")),
        Ok(Err(())) => Err(Refused::BadRequest),
        Err(_) => {
            link.end(Reason::Fault);
            Err(Refused::Host(Box::new(web::Failure::internal("a panic in an application of Engine.IO"))))
        }
    }
}

/// A post that is being dealt with, or was given up.
struct Posting<P: Protocol>(Arc<Link<P>>);

impl<P: Protocol> Drop for Posting<P> {
    fn drop(&mut self) {
        self.0.end_post();
    }
}

/// Deals with the packets of a post, one after the other. The error: the session has ended by what was in it.
async fn deal<P: Protocol>(link: &Arc<Link<P>>, body: &str) -> Result<(), ()> {
    for packet in Packets::new(body) {
        let outcome = match packet {
            Ok(Packet::Text(data)) => take(link, Message::Text(data)).await,
            Ok(Packet::Binary(data)) => take(link, Message::Binary(data)).await,
            Ok(Packet::Pong(_)) => {
                link.pong();
                Ok(())
            }
            Ok(Packet::Close) => {
                link.end(Reason::ClientClosed);
                linger(link).await;
                return Ok(());
            }
            Ok(Packet::Open(_) | Packet::Ping(_) | Packet::Upgrade | Packet::Noop) => {
                Err(Reason::Malformed(Malformed("a packet that a client does not send")))
            }
            Err(malformed) => Err(Reason::Malformed(malformed)),
        };
        if let Err(reason) = outcome {
            link.end(reason);
            return Err(());
        }
        if link.ended().is_some() {
            return Ok(());
        }
    }
    Ok(())
}

async fn take<P: Protocol>(link: &Arc<Link<P>>, message: Message<'_>) -> Result<(), Reason> {
    match drive::message(link, message) {
        Handled::Now(outcome) => outcome,
        Handled::Later(outcome) => outcome.await,
    }
}

/// A poll that the client sent before the close packet may come after it; the post is answered when none can.
async fn linger<P: Protocol>(link: &Link<P>) {
    if link.lingers() {
        sleep(LINGER).await;
        link.forgive();
    }
}

/// Revision 4 posts text only.
fn is_binary(request: &HttpRequest) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.trim_ascii_start().starts_with("application/octet-stream"))
}

enum ReadError {
    TooLarge,
    Lost,
}

async fn read(body: Payload, max_bytes: usize) -> Result<Vec<u8>, ReadError> {
    let mut body = pin!(body);
    let mut read = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| ReadError::Lost)?;
        if read.len() + chunk.len() > max_bytes {
            return Err(ReadError::TooLarge);
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read)
}
