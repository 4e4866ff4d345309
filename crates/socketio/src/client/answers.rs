//! Answers that the server waits for: acknowledgements of events that it sent.

use std::collections::HashMap;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::Client;
use crate::codec::Json;
use crate::engine::SendError;

/// What a client acknowledged an event with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The arguments: an array, with placeholders for attachments.
    pub args: Json,
    /// The attachments, in the order of their numbers.
    pub attachments: Vec<Bytes>,
}

/// Those that one client owes.
#[derive(Debug, Default)]
pub(super) struct Answers {
    next: u64,
    open: HashMap<u64, oneshot::Sender<Answer>>,
}

impl Answers {
    /// Takes a new id into account; `None` when there are `max` already.
    pub(super) fn expect(&mut self, max: usize) -> Option<(u64, oneshot::Receiver<Answer>)> {
        if self.open.len() >= max {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        let id = self.next;
        self.next += 1;
        self.open.insert(id, sender);
        Some((id, receiver))
    }

    pub(super) fn take(&mut self, id: u64) -> Option<oneshot::Sender<Answer>> {
        self.open.remove(&id)
    }
}

/// Resolves when the client has acknowledged, or is out. Dropped, it waits no more: give it a time limit.
#[derive(Debug)]
pub struct Awaited {
    client: Client,
    id: u64,
    receiver: oneshot::Receiver<Answer>,
}

impl Awaited {
    pub(super) fn new(client: Client, id: u64, receiver: oneshot::Receiver<Answer>) -> Self {
        Self { client, id, receiver }
    }
}

impl Future for Awaited {
    type Output = Result<Answer, SendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver).poll(context).map_err(|_| SendError::Closed)
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.client.forget(self.id);
    }
}
