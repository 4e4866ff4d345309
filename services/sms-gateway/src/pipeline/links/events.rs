//! What back ends say, whatever their kind.

use std::time::Duration;

use smpp::esme::Event;
use tokio::sync::mpsc;

use super::http;

/// Events of one round at most, but for those that come while it gathers.
const ROUND: usize = 256;
/// As many at once come from a back end that is busy: more follow at once.
const BUSY: usize = 4;
/// How long a round of a busy back end waits for them. Each round is a transaction, whose cost does not depend on how
/// much there is.
const GATHER: Duration = Duration::from_millis(2);

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
    if !(BUSY..ROUND).contains(&count) {
        return count;
    }
    tokio::time::sleep(GATHER).await;
    let before = batch.len();
    batch.extend(std::iter::from_fn(|| events.try_recv().ok()).take(ROUND).map(wrap));
    count + batch.len() - before
}
