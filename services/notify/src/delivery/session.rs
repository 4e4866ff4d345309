//! A client on a plain websocket. The frames are in `proto/notify.md`.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use common::models::notify::{EndReason, NotifyFrame, NotifyRequest};
use common::models::problem::Problem;
use web::ws::{CloseCode, Frame, Message, SendError, Socket};

use super::catching::{Catching, Step};
use super::door::Door;
use super::inbox::{Delivery, Full, Inbox, InboxLimits, Listener};
use super::joining::{self, Joining};
use super::worker::{Seat, Worker};
use crate::app::State;
use crate::domain::{NotifyError, Publication};

/// Serves one client for as long as it is connected. There is one of these futures for each idle socket: it uses what
/// it was given in place, and what is rare is boxed.
pub(crate) fn serve(
    state: Arc<State>,
    network: IpAddr,
    mut socket: Socket,
) -> impl Future<Output = ()> + 'static {
    let mut session = Session::new(state, network);
    async move {
        let code = session.run(&mut socket).await;
        // Nobody is to be told anything any more, however long the handshake takes.
        session.seats.clear();
        if let Some(code) = code {
            Box::pin(socket.close(code, reason(code))).await;
        }
    }
}

struct Session {
    state: Arc<State>,
    inbox: Rc<Inbox>,
    seats: Vec<Seat>,
    network: IpAddr,
}

/// What a step led to: the code to close with.
type Turn = Result<(), CloseCode>;

/// Why a client does not get into a channel.
enum Halt {
    Close(CloseCode),
    Refuse(NotifyError),
}

impl From<CloseCode> for Halt {
    fn from(code: CloseCode) -> Self {
        Self::Close(code)
    }
}

impl From<NotifyError> for Halt {
    fn from(error: NotifyError) -> Self {
        Self::Refuse(error)
    }
}

impl Session {
    fn new(state: Arc<State>, network: IpAddr) -> Self {
        let limits =
            InboxLimits { messages: state.settings.client_messages, bytes: state.settings.client_bytes };
        let inbox = Inbox::new(limits);
        let listener: Rc<dyn Listener> = inbox.clone();
        Worker::current(&state.hub).expect_join(&listener);
        state.hub.door(Door::Websocket).open();
        Self { state, inbox, seats: Vec::new(), network }
    }

    /// Runs until the connection is over; returns the code to close with, if it is ours to close.
    async fn run(&mut self, socket: &mut Socket) -> Option<CloseCode> {
        loop {
            let turn = tokio::select! {
                biased;
                deliveries = self.inbox.next() => self.pass_on(deliveries, socket),
                message = socket.next() => match message {
                    None => return None,
                    Some(Message::Text(text)) => Box::pin(self.answer(&text, socket)).await,
                    Some(Message::Binary(_)) => Err(CloseCode::INVALID),
                },
            };
            if let Err(code) = turn {
                return Some(code);
            }
        }
    }

    /// Sends what waited; all of it goes out in one write.
    fn pass_on(&mut self, deliveries: Result<VecDeque<Delivery>, Full>, socket: &mut Socket) -> Turn {
        let Ok(deliveries) = deliveries else { return Err(CloseCode::TRY_AGAIN) };
        let mut count = 0;
        for delivery in deliveries {
            match delivery {
                Delivery::Publication(publication) => {
                    count += 1;
                    self.send_frame(publication.frame(), socket)?;
                }
                Delivery::Lost(lost) => {
                    let (channel, place) = *lost;
                    send(&NotifyFrame::Lost { channel: channel.name().as_str().to_owned(), place }, socket)?;
                }
                Delivery::Present(told) => self.send_frame(told.frame.clone(), socket)?,
                Delivery::Ended(channel, reason) => {
                    self.seats.retain(|seat| !seat.is_in(&channel));
                    send(
                        &NotifyFrame::Ended { channel: channel.name().as_str().to_owned(), reason },
                        socket,
                    )?;
                    if self.seats.is_empty() {
                        return Err(if reason == EndReason::Slow {
                            CloseCode::TRY_AGAIN
                        } else {
                            CloseCode::REVOKED
                        });
                    }
                }
                Delivery::Late if self.seats.is_empty() => return Err(CloseCode::REVOKED),
                Delivery::Late => {}
            }
        }
        self.state.hub.door(Door::Websocket).delivered(count);
        Ok(())
    }

    fn send_frame(&self, frame: Frame, socket: &mut Socket) -> Turn {
        match socket.send(frame) {
            Err(SendError::Full) => {
                self.state.metrics.ended_total.with_label_values(&[EndReason::Slow.as_str()]).inc();
                Err(CloseCode::TRY_AGAIN)
            }
            // Closed: the next look at the socket tells.
            Ok(()) | Err(SendError::Closed) => Ok(()),
        }
    }

    async fn answer(&mut self, text: &str, socket: &mut Socket) -> Turn {
        match serde_json::from_str(text).map_err(|_| CloseCode::INVALID)? {
            NotifyRequest::Subscribe { id, token, offset, epoch, presence } => {
                match self.join(id, &Joining { token, offset, epoch, presence }, socket).await {
                    Ok(()) => Ok(()),
                    Err(Halt::Close(code)) => Err(code),
                    Err(Halt::Refuse(error)) => self.refuse(id, &error, socket),
                }
            }
            NotifyRequest::Unsubscribe { id, channel } => {
                self.seats.retain(|seat| seat.channel().name().as_str() != channel);
                send(&NotifyFrame::Unsubscribed { id, channel }, socket)
            }
        }
    }

    /// Joins a channel: what was missed goes out as fast as the client reads, then the session goes on.
    async fn join(&mut self, id: u64, joining: &Joining, socket: &mut Socket) -> Result<(), Halt> {
        let ticket = joining::open(&self.state, joining, self.network).await?;
        let channel = Arc::clone(ticket.entered.channel());
        let name = || channel.name().as_str().to_owned();
        let subscribed =
            |place, recovered| NotifyFrame::Subscribed { id: Some(id), channel: name(), place, recovered };
        if let Some(seat) = self.seats.iter().find(|seat| seat.is_in(&channel)) {
            // Once is enough; but the client goes on by this token now.
            Worker::current(&self.state.hub).renew(seat, ticket.pass);
            if let Some(place) = channel.last() {
                send(&subscribed(place, true), socket)?;
            }
            return Ok(());
        }
        let limit = self.state.settings.max_subscriptions;
        if self.seats.len() >= limit {
            return Err(NotifyError::TooManyChannels { limit }.into());
        }
        let (welcome, mut catching) = Catching::begin(&self.state.hub, ticket, joining).await?;
        send(&subscribed(welcome.place, welcome.recovered), socket)?;
        let listener: Rc<dyn Listener> = self.inbox.clone();
        loop {
            match catching.next(&listener).await? {
                Step::Missed(publications, rest) => {
                    catching = rest;
                    self.send_all(&publications, socket)?;
                    socket.drained().await;
                }
                Step::Lost(place, rest) => {
                    catching = rest;
                    send(&NotifyFrame::Lost { channel: name(), place }, socket)?;
                }
                Step::In(seat, publications) => {
                    self.seats.reserve_exact(1);
                    self.seats.push(seat);
                    return Ok(self.send_all(&publications, socket)?);
                }
            }
        }
    }

    fn send_all(&self, publications: &[Arc<Publication>], socket: &mut Socket) -> Turn {
        publications.iter().try_for_each(|publication| self.send_frame(publication.frame(), socket))
    }

    fn refuse(&self, id: u64, error: &NotifyError, socket: &mut Socket) -> Turn {
        send(&NotifyFrame::Refused { id, problem: Problem::of(error) }, socket)?;
        match error {
            // Whoever has shown a bad token, and is in no channel, has no business here.
            NotifyError::TokenRefused if self.seats.is_empty() => Err(CloseCode::REVOKED),
            NotifyError::Db(error) => {
                tracing::warn!(%error, "a client could not join");
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.state.hub.door(Door::Websocket).close();
    }
}

fn send(frame: &NotifyFrame, socket: &mut Socket) -> Turn {
    let text = serde_json::to_string(frame).map_err(|_| CloseCode::ERROR)?;
    match socket.send_text(&text) {
        Err(SendError::Full) => Err(CloseCode::TRY_AGAIN),
        Ok(()) | Err(SendError::Closed) => Ok(()),
    }
}

fn reason(code: CloseCode) -> &'static str {
    match code {
        CloseCode::REVOKED => "in no channel: join with a valid token",
        CloseCode::INVALID => "not a frame of this protocol",
        CloseCode::TRY_AGAIN => "slow: come back with the last offset",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How large a future is before it is made.
    fn size_of_future<F: Future>(_: fn(Arc<State>, IpAddr, Socket) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_connection_holds_little() {
        let size = size_of_future(serve);

        assert!(size < 700, "{size} bytes");
    }
}
