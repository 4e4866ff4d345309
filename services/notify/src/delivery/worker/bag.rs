//! What waits for the loop of one worker thread, from any thread.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use common::models::ChannelTokenId;
use common::models::notify::Place;
use futures_util::task::AtomicWaker;

use crate::delivery::attendance::News;
use crate::delivery::channel::Channel;
use crate::domain::Publication;

/// Something for all clients of a worker in a channel. The number is that of the channel's life: a client that came in a
/// later one is not meant.
#[derive(Clone)]
pub(in crate::delivery) enum Parcel {
    Publication(Arc<Channel>, Arc<Publication>, u32),
    /// Everything up to this place is lost.
    Lost(Arc<Channel>, Place, u32),
    /// Who is present has been looked up.
    Present(Arc<Channel>, Arc<News>),
    /// The channel lives anew, and counts from the beginning.
    Restarted(Arc<Channel>, u32),
    /// A token of the channel is revoked, or all.
    Revoked(Arc<Channel>, Option<ChannelTokenId>),
}

impl Parcel {
    pub(in crate::delivery) fn publication(
        channel: &Arc<Channel>,
        publication: &Arc<Publication>,
        life: u32,
    ) -> Self {
        Self::Publication(Arc::clone(channel), Arc::clone(publication), life)
    }
}

/// What waits for one loop, from any thread.
pub(in crate::delivery) struct Bag {
    limit: usize,
    waiting: Mutex<Waiting>,
    waker: AtomicWaker,
}

#[derive(Default)]
pub(in crate::delivery) struct Waiting {
    pub(in crate::delivery) parcels: Vec<Parcel>,
    /// Clients that have left.
    pub(super) left: Vec<Spot>,
    /// Parcels found no room.
    pub(super) overflown: bool,
}

/// Where a client is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) channel: usize,
    pub(super) key: usize,
    /// Tells the client from a later one in the same spot.
    pub(super) number: u64,
}

impl Bag {
    pub(in crate::delivery) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, waiting: Mutex::default(), waker: AtomicWaker::new() })
    }

    pub(in crate::delivery) fn put(&self, parcel: Parcel) {
        let mut waiting = self.waiting();
        if waiting.parcels.len() < self.limit {
            waiting.parcels.push(parcel);
        } else {
            waiting.overflown = true;
        }
        // Only the first wakes: the loop takes all.
        let first = waiting.parcels.len() == 1;
        drop(waiting);
        if first {
            self.waker.wake();
        }
    }

    pub(super) fn leave(&self, spot: Spot) {
        self.waiting().left.push(spot);
        self.waker.wake();
    }

    pub(in crate::delivery) fn take(&self) -> Waiting {
        std::mem::take(&mut *self.waiting())
    }

    pub(super) async fn next(&self) -> Waiting {
        poll_fn(|context| {
            self.waker.register(context.waker());
            let waiting = self.take();
            let empty = waiting.parcels.is_empty() && waiting.left.is_empty();
            if empty { Poll::Pending } else { Poll::Ready(waiting) }
        })
        .await
    }

    /// Entries are put in and taken out whole, so a poisoned lock is sound.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
