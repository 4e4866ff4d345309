//! A client on an event stream (WHATWG HTML §9.2): one channel, in the same form as on a websocket.
//!
//! The id of an event is the place of its notification, `OFFSET/EPOCH`: a client that comes again with `Last-Event-ID`
//! gets what it missed.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use common::models::Epoch;
use common::models::notify::{EndReason, NotifyFrame, Place};
use futures_util::{Stream, stream};
use web::Shutdown;

use super::catching::{Catching, Step, Welcome};
use super::channel::Channel;
use super::door::Door;
use super::inbox::{Delivery, Inbox, InboxLimits, Listener};
use super::joining::{self, Joining};
use super::worker::Seat;
use crate::app::State;
use crate::domain::{NotifyError, Publication};

/// Lets a client into the channel of its token, and gives what it hears, until it is put out or the process stops.
///
/// # Errors
/// Those of joining.
pub(crate) async fn stream(
    state: Arc<State>,
    joining: Joining,
    network: IpAddr,
    shutdown: Shutdown,
) -> Result<impl Stream<Item = Result<Bytes, Infallible>> + use<>, NotifyError> {
    let ticket = joining::open(&state, &joining, network).await?;
    let channel = Arc::clone(ticket.entered.channel());
    let (welcome, catching) = Catching::begin(&state.hub, ticket, &joining).await?;
    let opening = opening(&channel, welcome, joining.offset);
    let limits = InboxLimits { messages: state.settings.client_messages, bytes: state.settings.client_bytes };
    state.hub.door(Door::Events).open();
    let client = Client {
        state,
        channel,
        inbox: Inbox::new(limits),
        phase: Phase::Opening(opening, Box::new(catching)),
        shutdown,
    };
    Ok(stream::unfold(client, |mut client| async move {
        let bytes = client.next().await?;
        Some((Ok(bytes), client))
    }))
}

struct Client {
    state: Arc<State>,
    channel: Arc<Channel>,
    inbox: Rc<Inbox>,
    phase: Phase,
    shutdown: Shutdown,
}

enum Phase {
    Opening(Bytes, Box<Catching>),
    Catching(Box<Catching>),
    Live(Seat),
    Over,
}

impl Client {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            match std::mem::replace(&mut self.phase, Phase::Over) {
                Phase::Over => return None,
                Phase::Opening(bytes, catching) => {
                    self.phase = Phase::Catching(catching);
                    return Some(bytes);
                }
                Phase::Catching(catching) => {
                    let listener: Rc<dyn Listener> = self.inbox.clone();
                    match catching.next(&listener).await {
                        Ok(Step::Missed(publications, rest)) => {
                            self.phase = Phase::Catching(Box::new(rest));
                            return Some(join(&publications));
                        }
                        Ok(Step::Lost(place, rest)) => {
                            self.phase = Phase::Catching(Box::new(rest));
                            return Some(self.lost(place));
                        }
                        Ok(Step::In(seat, publications)) => {
                            self.phase = Phase::Live(seat);
                            if !publications.is_empty() {
                                return Some(join(&publications));
                            }
                        }
                        // The client comes again with the last id that it has seen.
                        Err(error) => {
                            tracing::warn!(%error, "an event stream ends: the history cannot be read");
                            return None;
                        }
                    }
                }
                Phase::Live(seat) => return self.live(seat).await,
            }
        }
    }

    async fn live(&mut self, seat: Seat) -> Option<Bytes> {
        let deliveries = tokio::select! {
            biased;
            () = self.shutdown.wait() => return None,
            deliveries = self.inbox.next() => deliveries,
            () = tokio::time::sleep(self.state.settings.stream_keep_alive) => {
                self.phase = Phase::Live(seat);
                return Some(Bytes::from_static(b": alive\n\n"));
            }
        };
        let Ok(deliveries) = deliveries else { return Some(self.ended(EndReason::Slow)) };
        let (bytes, over) = self.write(deliveries);
        if !over {
            self.phase = Phase::Live(seat);
        }
        Some(bytes)
    }

    /// Joins what waited; tells whether it is the end.
    fn write(&self, deliveries: VecDeque<Delivery>) -> (Bytes, bool) {
        let mut bytes = BytesMut::new();
        let mut count = 0;
        for delivery in deliveries {
            match delivery {
                Delivery::Publication(publication) => {
                    count += 1;
                    bytes.extend_from_slice(&publication.event());
                }
                Delivery::Lost(lost) => bytes.extend_from_slice(&self.lost(lost.1)),
                Delivery::Present(told) => bytes.extend_from_slice(&told.event),
                Delivery::Ended(_, reason) => {
                    bytes.extend_from_slice(&self.ended(reason));
                    return (bytes.freeze(), true);
                }
                // A stream is in its channel from the beginning.
                Delivery::Late => {}
            }
        }
        self.state.hub.door(Door::Events).delivered(count);
        (bytes.freeze(), false)
    }

    fn lost(&self, place: Place) -> Bytes {
        let channel = self.channel.name().as_str().to_owned();
        event("lost", Some(place), &NotifyFrame::Lost { channel, place })
    }

    fn ended(&self, reason: EndReason) -> Bytes {
        let channel = self.channel.name().as_str().to_owned();
        event("ended", None, &NotifyFrame::Ended { channel, reason })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.state.hub.door(Door::Events).close();
    }
}

/// The first event; its id is where the client is before anything comes.
fn opening(channel: &Channel, welcome: Welcome, asked: Option<i64>) -> Bytes {
    let Welcome { place, recovered } = welcome;
    let at = Place { offset: asked.filter(|_| recovered).unwrap_or(place.offset), ..place };
    let channel = channel.name().as_str().to_owned();
    event("subscribed", Some(at), &NotifyFrame::Subscribed { id: None, channel, place, recovered })
}

/// Writes an event; with a place, a client that comes again goes on behind it.
pub(super) fn event(name: &str, place: Option<Place>, frame: &NotifyFrame) -> Bytes {
    let id = place.map(|Place { offset, epoch }| format!("id: {offset}/{epoch}\n")).unwrap_or_default();
    // Plain fields always have a form in JSON.
    let data = serde_json::to_string(frame).unwrap_or_default();
    format!("{id}event: {name}\ndata: {data}\n\n").into()
}

fn join(publications: &[Arc<Publication>]) -> Bytes {
    let mut bytes = BytesMut::new();
    publications.iter().for_each(|publication| bytes.extend_from_slice(&publication.event()));
    bytes.freeze()
}

/// Reads the id of an event.
pub(crate) fn read_event_id(id: &str) -> Option<(i64, Epoch)> {
    let (offset, epoch) = id.split_once('/')?;
    Some((offset.parse().ok().filter(|offset| *offset >= 0)?, epoch.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_an_event_is_a_place() {
        let epoch = Epoch::new();

        assert_eq!(read_event_id(&format!("7/{epoch}")), Some((7, epoch)));
        for id in ["", "7", "/", &format!("-1/{epoch}"), "7/x", &format!("x/{epoch}")] {
            assert_eq!(read_event_id(id), None, "{id}");
        }
    }
}
