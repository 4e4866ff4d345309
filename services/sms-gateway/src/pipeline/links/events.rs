//! What back ends say, whatever their kind.

use smpp::esme::Event;
use tokio::sync::mpsc;

use super::http;

/// Events of one round at most.
const ROUND: usize = 256;

/// What a back end says.
pub(super) enum Heard {
    /// A bind.
    Smpp(Event),
    /// A provider.
    Http(http::Event),
}

/// Where it says so.
pub(super) enum Events {
    /// A bind.
    Smpp(mpsc::Receiver<Event>),
    /// A provider.
    Http(mpsc::Receiver<http::Event>),
}

impl Events {
    /// Adds what was said, in one round at most; gives how much, 0 when there is no more. Nothing is lost when it is
    /// dropped before its end.
    pub(super) async fn recv_many(&mut self, batch: &mut Vec<Heard>) -> usize {
        match self {
            Self::Smpp(events) => recv_many(events, Heard::Smpp, batch).await,
            Self::Http(events) => recv_many(events, Heard::Http, batch).await,
        }
    }
}

async fn recv_many<T>(events: &mut mpsc::Receiver<T>, wrap: fn(T) -> Heard, batch: &mut Vec<Heard>) -> usize {
    let mut read = Vec::new();
    let count = events.recv_many(&mut read, ROUND).await;
    batch.extend(read.into_iter().map(wrap));
    count
}
