//! What waits for one client of this worker thread: bounded in messages and bytes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

use common::models::notify::{EndReason, Place};

use super::attendance::Told;
use super::channel::Channel;
use crate::domain::Publication;

/// Who gets the publications of a channel; one for each client, held by the loop of its worker thread.
pub(super) trait Listener {
    /// Takes a publication. False: there is no room for it, and the client is told to come back.
    fn deliver(&self, publication: &Arc<Publication>) -> bool;

    /// Hears that publications up to a place are lost.
    fn lost(&self, channel: &Arc<Channel>, place: Place);

    /// Hears who is present; left out if there is no room, since it is out of date soon.
    fn present(&self, told: &Arc<Told>);

    /// Hears that the client is in the channel no more.
    fn end(&self, channel: &Arc<Channel>, reason: EndReason);

    /// Hears that the client has had the time that it may take to join a channel.
    fn late(&self);
}

/// What a client is told.
pub(super) enum Delivery {
    Publication(Arc<Publication>),
    Lost(Box<(Arc<Channel>, Place)>),
    Present(Arc<Told>),
    Ended(Arc<Channel>, EndReason),
    /// Time to join a channel is over.
    Late,
}

/// Bounds of an inbox.
#[derive(Debug, Clone, Copy)]
pub(super) struct InboxLimits {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

/// The inbox of one client. Empty, it owns no memory beside itself.
pub(super) struct Inbox {
    limits: InboxLimits,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Delivery>,
    bytes: usize,
    full: bool,
    waker: Option<Waker>,
}

impl Inbox {
    pub(super) fn new(limits: InboxLimits) -> Rc<Self> {
        Rc::new(Self { limits, state: RefCell::default() })
    }

    /// Waits for something, and takes all that waits. `Err`: something found no room; what did comes first. Safe to drop
    /// before it is ready.
    pub(super) async fn next(&self) -> Result<VecDeque<Delivery>, Full> {
        poll_fn(|context| {
            let mut state = self.state.borrow_mut();
            if !state.queue.is_empty() {
                state.bytes = 0;
                return Poll::Ready(Ok(std::mem::take(&mut state.queue)));
            }
            if state.full {
                return Poll::Ready(Err(Full));
            }
            if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                state.waker = Some(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    fn push(&self, delivery: Delivery) {
        let mut state = self.state.borrow_mut();
        state.queue.push_back(delivery);
        if let Some(waker) = &state.waker {
            waker.wake_by_ref();
        }
    }
}

/// Something found no room in an inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

impl Listener for Inbox {
    fn deliver(&self, publication: &Arc<Publication>) -> bool {
        let mut state = self.state.borrow_mut();
        if state.full {
            return true;
        }
        let bytes = state.bytes + publication.size();
        if state.queue.len() >= self.limits.messages || bytes > self.limits.bytes {
            // A volatile one that finds no room is nothing to cut anybody off for.
            let matters = publication.place().is_some();
            state.full = matters;
            if let Some(waker) = state.waker.as_ref().filter(|_| matters) {
                waker.wake_by_ref();
            }
            return !matters;
        }
        state.bytes = bytes;
        drop(state);
        self.push(Delivery::Publication(Arc::clone(publication)));
        true
    }

    fn lost(&self, channel: &Arc<Channel>, place: Place) {
        self.push(Delivery::Lost(Box::new((Arc::clone(channel), place))));
    }

    fn present(&self, told: &Arc<Told>) {
        if self.state.borrow().queue.len() < self.limits.messages {
            self.push(Delivery::Present(Arc::clone(told)));
        }
    }

    fn end(&self, channel: &Arc<Channel>, reason: EndReason) {
        self.push(Delivery::Ended(Arc::clone(channel), reason));
    }

    fn late(&self) {
        self.push(Delivery::Late);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::delivery::channel::tests::publication;

    #[test]
    fn what_waits_comes_in_order_and_then_that_there_was_no_room() {
        let inbox = Inbox::new(InboxLimits { messages: 2, bytes: 1000 });
        assert!(inbox.next().now_or_never().is_none());

        let taken: Vec<bool> = (1..=4).map(|offset| inbox.deliver(&publication(offset))).collect();

        assert_eq!(taken, [true, true, false, true], "that there is no room is told once");
        assert!(inbox.next().now_or_never().unwrap().is_ok_and(|waiting| waiting.len() == 2));
        assert_eq!(inbox.next().now_or_never().unwrap().err(), Some(Full));
    }

    #[test]
    fn an_inbox_is_bounded_in_bytes_too() {
        let size = publication(1).size();
        let inbox = Inbox::new(InboxLimits { messages: 100, bytes: 3 * size });

        let taken = (1..=9).take_while(|offset| inbox.deliver(&publication(*offset))).count();

        assert_eq!(taken, 3);
    }
}
