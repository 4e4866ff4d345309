//! The loop of one worker thread: hands what comes to the clients whose sockets are on that thread.
//!
//! A publication comes to a loop once, however many clients it has there. A client is found by the address of its
//! channel and a number; nothing is looked up by name, allocated or encoded for each of them.

mod bag;
mod passes;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Instant;

use common::models::ChannelTokenId;
use common::models::notify::{EndReason, Place};
use slab::Slab;
use tokio::time::MissedTickBehavior;

use self::bag::Spot;
pub(super) use self::bag::{Bag, Parcel};
use super::attendance::{Attendance, Watching};
use super::channel::{Channel, NotYet};
use super::hub::{Entered, Hub};
use super::inbox::Listener;
use super::presence::{Connected, Link, Present};
use crate::domain::{Pass, Publication};
use crate::push::Online;

thread_local! {
    /// The loops of this thread: one for each hub, and so one for each process but in tests.
    static WORKERS: RefCell<Vec<Rc<Worker>>> = const { RefCell::new(Vec::new()) };
}

/// The clients of one worker thread.
pub(super) struct Worker {
    hub: Hub,
    bag: Arc<Bag>,
    channels: RefCell<HashMap<usize, Seats>>,
    numbers: Cell<u64>,
    /// Clients that have not joined a channel yet, by the time until which they may.
    waiting: RefCell<VecDeque<(Instant, Weak<dyn Listener>)>>,
    /// Tokens are being looked up.
    verifying: Cell<bool>,
    /// The last round of the patrol in which all tokens were.
    round: Cell<u64>,
}

/// The clients in one channel.
struct Seats {
    channel: Arc<Channel>,
    clients: Slab<Client>,
}

struct Client {
    number: u64,
    /// The last offset that it got before it was let in, of the life that follows.
    after: i64,
    life: u32,
    attends: Attends,
    pass: Pass,
    listener: Rc<dyn Listener>,
}

impl Client {
    /// Tells whether what is at this offset of this life is still to come for it: what came before the client may be
    /// waiting in the bag.
    fn awaits(&self, life: u32, offset: i64) -> bool {
        life == self.life && self.after < offset
    }
}

/// Whether a client wants to know who is present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attends {
    No,
    /// It has not been told yet.
    Waits,
    /// It knows who was.
    Knows,
}

impl Worker {
    /// The loop of the current thread.
    pub(super) fn current(hub: &Hub) -> Rc<Self> {
        WORKERS.with_borrow_mut(|workers| {
            if let Some(known) = workers.iter().find(|worker| worker.hub.is(hub)) {
                return Rc::clone(known);
            }
            let worker = Rc::new(Self {
                hub: hub.clone(),
                bag: Bag::new(hub.settings().queue.max(65_536)),
                channels: RefCell::default(),
                numbers: Cell::new(0),
                waiting: RefCell::default(),
                verifying: Cell::new(false),
                round: Cell::new(0),
            });
            actix_rt::spawn(run(Rc::clone(&worker)));
            workers.push(Rc::clone(&worker));
            worker
        })
    }

    /// Gives a client some time to join a channel.
    pub(super) fn expect_join(&self, listener: &Rc<dyn Listener>) {
        let until = Instant::now() + self.hub.settings().join_timeout;
        self.waiting.borrow_mut().push_back((until, Rc::downgrade(listener)));
    }

    /// Lets a client into a channel, if it has missed nothing after `after` but what is in memory.
    pub(super) fn attach(
        &self,
        ticket: Ticket,
        after: Place,
        listener: &Rc<dyn Listener>,
    ) -> Result<Admitted, (Ticket, NotYet)> {
        let channel = Arc::clone(ticket.entered.channel());
        let opening = match channel.attach(&self.bag, after) {
            Ok(opening) => opening,
            Err(not_yet) => return Err((ticket, not_yet)),
        };
        let Ticket { entered, pass, present, attends, online, link } = ticket;
        let number = self.numbers.get() + 1;
        self.numbers.set(number);
        let address = Arc::as_ptr(&channel).addr();
        let mut channels = self.channels.borrow_mut();
        let seats = channels
            .entry(address)
            .or_insert_with(|| Seats { channel: Arc::clone(&channel), clients: Slab::with_capacity(1) });
        // Another process may have handed on more than this one has heard of.
        let after = opening.place.offset.max(after.offset);
        let key = seats.clients.insert(Client {
            number,
            after,
            life: opening.life,
            attends: if attends { Attends::Waits } else { Attends::No },
            pass,
            listener: Rc::clone(listener),
        });
        let watching = attends.then(|| Attendance::watch(&self.hub, &channel));
        let spot = Spot { channel: address, key, number };
        let seat = Seat {
            spot,
            bag: Arc::clone(&self.bag),
            _watching: watching,
            entered,
            _present: present,
            _online: online,
            _connected: link.map(Link::open),
        };
        Ok(Admitted { seat, missed: opening.missed })
    }

    /// Lets a client go on with another pass.
    pub(super) fn renew(&self, seat: &Seat, pass: Pass) {
        if let Some(seats) = self.channels.borrow_mut().get_mut(&seat.spot.channel)
            && let Some(client) = seats.clients.get_mut(seat.spot.key)
            && client.number == seat.spot.number
        {
            client.pass = pass;
        }
    }

    fn take_out(&self, spot: Spot) {
        let mut channels = self.channels.borrow_mut();
        if let Some(seats) = channels.get_mut(&spot.channel) {
            if seats.clients.get(spot.key).is_some_and(|client| client.number == spot.number) {
                seats.clients.remove(spot.key);
            }
            if seats.clients.is_empty() {
                channels.remove(&spot.channel);
            }
        }
    }

    fn hand_out(&self, parcel: &Parcel) {
        let channels = self.channels.borrow();
        match parcel {
            Parcel::Publication(channel, publication, life) => {
                let Some(seats) = channels.get(&Arc::as_ptr(channel).addr()) else { return };
                let offset = publication.place().map_or(i64::MAX, |place| place.offset);
                for (_, client) in seats.clients.iter().filter(|(_, client)| client.awaits(*life, offset)) {
                    if !client.listener.deliver(publication) {
                        self.hub.metrics().ended_total.with_label_values(&[EndReason::Slow.as_str()]).inc();
                    }
                }
            }
            Parcel::Lost(channel, place, life) => {
                let Some(seats) = channels.get(&Arc::as_ptr(channel).addr()) else { return };
                let behind = seats.clients.iter().filter(|(_, client)| client.awaits(*life, place.offset));
                behind.for_each(|(_, client)| client.listener.lost(channel, *place));
            }
            Parcel::Present(channel, news) => {
                drop(channels);
                let mut channels = self.channels.borrow_mut();
                let Some(seats) = channels.get_mut(&Arc::as_ptr(channel).addr()) else { return };
                for (_, client) in &mut seats.clients {
                    let told = match client.attends {
                        Attends::No => None,
                        Attends::Waits => Some(&news.first),
                        Attends::Knows => news.change.as_ref(),
                    };
                    if let Some(told) = told {
                        client.attends = Attends::Knows;
                        client.listener.present(told);
                    }
                }
            }
            Parcel::Restarted(channel, life) => {
                drop(channels);
                if let Some(seats) = self.channels.borrow_mut().get_mut(&Arc::as_ptr(channel).addr()) {
                    let earlier = seats.clients.iter_mut().filter(|(_, client)| client.life < *life);
                    earlier.for_each(|(_, client)| (client.after, client.life) = (0, *life));
                }
            }
            Parcel::Revoked(channel, id) => {
                drop(channels);
                let id = id.map(ChannelTokenId::to_bytes);
                self.end_where(EndReason::Revoked, Some(channel), |pass| match pass {
                    Pass::Token { id: own, .. } => id.is_none_or(|id| id == *own),
                    Pass::Access { .. } => false,
                });
            }
        }
    }

    fn end(&self, client: &Client, channel: &Arc<Channel>, reason: EndReason) {
        self.hub.metrics().ended_total.with_label_values(&[reason.as_str()]).inc();
        client.listener.end(channel, reason);
    }

    /// Puts clients out of one channel or of all.
    fn end_where(&self, reason: EndReason, channel: Option<&Arc<Channel>>, ends: impl Fn(&Pass) -> bool) {
        let mut channels = self.channels.borrow_mut();
        let only = channel.map(|channel| Arc::as_ptr(channel).addr());
        for (_, seats) in channels.iter_mut().filter(|(address, _)| only.is_none_or(|only| only == **address))
        {
            let channel = &seats.channel;
            seats.clients.retain(|_, client| {
                let ended = ends(&client.pass);
                if ended {
                    self.end(client, channel, reason);
                }
                !ended
            });
        }
    }
}

/// Serves until the thread ends.
async fn run(worker: Rc<Worker>) {
    let mut timer = tokio::time::interval(worker.hub.settings().session_check);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            waiting = worker.bag.next() => {
                waiting.left.iter().for_each(|spot| worker.take_out(*spot));
                waiting.parcels.iter().for_each(|parcel| worker.hand_out(parcel));
                if waiting.overflown {
                    tracing::warn!("a worker thread was behind: its clients have to come back");
                    worker.end_where(EndReason::Slow, None, |_| true);
                }
                // Else the clients would not come to what is in their inboxes while more comes without a pause.
                tokio::task::yield_now().await;
            }
            _ = timer.tick() => worker.tick(),
        }
    }
}

/// What lets a client into a channel.
pub(crate) struct Ticket {
    pub(super) entered: Entered,
    pub(super) pass: Pass,
    /// Who is present by it.
    pub(super) present: Option<Box<Present>>,
    /// The client wants to know who is.
    pub(super) attends: bool,
    /// Which device is connected by it, for those that push.
    pub(super) online: Option<Box<Online>>,
    /// Has receivers of webhooks told that the client is in.
    pub(super) link: Option<Link>,
}

/// A client that was let in.
pub(super) struct Admitted {
    pub(super) seat: Seat,
    /// What it missed before, to be sent first.
    pub(super) missed: Vec<Arc<Publication>>,
}

/// The place of a client in a channel, left when it is dropped, on whatever thread.
pub(crate) struct Seat {
    spot: Spot,
    bag: Arc<Bag>,
    // Before the channel is left, which may be another one when it is entered again.
    _watching: Option<Box<Watching>>,
    entered: Entered,
    _present: Option<Box<Present>>,
    _online: Option<Box<Online>>,
    _connected: Option<Box<Connected>>,
}

impl Seat {
    /// The channel.
    pub(super) fn channel(&self) -> &Arc<Channel> {
        self.entered.channel()
    }

    /// Tells whether it is in this channel.
    pub(super) fn is_in(&self, channel: &Arc<Channel>) -> bool {
        Arc::ptr_eq(self.channel(), channel)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.channel().detach(&self.bag);
        self.bag.leave(self.spot);
    }
}
