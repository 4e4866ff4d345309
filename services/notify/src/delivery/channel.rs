//! One channel that clients of this process are in: puts what comes into order.
//!
//! What must hold: each worker loop gets every publication of the channel after the offset at which its first client
//! came, once, in the order of the offsets, or is told that some are lost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::models::Epoch;
use common::models::notify::Place;

use super::recent::{Keep, Recent};
use super::worker::{Bag, Parcel};
use crate::domain::{ChannelName, Publication};

/// Publications that wait for an earlier one. Beyond it they are read from the history, as that one is.
const AHEAD: usize = 1024;

/// Clients from which on the latest publications are worth keeping in memory.
pub(super) const CROWD: usize = 8;

/// A channel in use.
pub(crate) struct Channel {
    name: ChannelName,
    order: Mutex<Order>,
}

/// Where a channel stands in this process.
struct Order {
    /// The last place that was handed on; none before it was looked up.
    last: Option<Place>,
    /// How many other lives this process has seen before: offsets of two do not compare.
    life: u32,
    /// The greatest offset that is known to exist.
    end: i64,
    /// What came before its turn.
    ahead: BTreeMap<i64, Arc<Publication>>,
    /// Somebody is reading from the history what is missing.
    filling: bool,
    recent: Recent,
    /// The worker loops that have clients in the channel, and how many.
    workers: Vec<(Arc<Bag>, usize)>,
}

/// What is missing in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missing {
    /// The last place that was handed on.
    pub(super) after: Place,
    /// The greatest offset that is missing.
    pub(super) through: i64,
}

impl Channel {
    pub(super) fn new(name: ChannelName) -> Arc<Self> {
        let order = Order {
            last: None,
            life: 0,
            end: 0,
            ahead: BTreeMap::new(),
            filling: false,
            recent: Recent::default(),
            workers: Vec::new(),
        };
        Arc::new(Self { name, order: Mutex::new(order) })
    }

    /// Gives the name.
    pub(crate) fn name(&self) -> &ChannelName {
        &self.name
    }

    /// Gives the last place that was handed on; none before it was looked up.
    pub(super) fn last(&self) -> Option<Place> {
        self.order().last
    }

    /// Notes where the channel stands by its table, if that is not known yet, and hands on what has come since.
    pub(super) fn begin(self: &Arc<Self>, head: Place, keep: Keep) {
        let mut order = self.order();
        if order.last.is_none() {
            order.last = Some(head);
            order.end = order.end.max(head.offset);
            self.advance(&mut order, keep);
        }
    }

    /// Takes a publication. Tells whether somebody has to begin reading what is missing before it.
    pub(super) fn accept(self: &Arc<Self>, publication: &Arc<Publication>, keep: Keep) -> bool {
        let mut order = self.order();
        let Some(place) = publication.place() else {
            order.hand_on(&Parcel::publication(self, publication, order.life));
            return false;
        };
        match order.last {
            // The channel lives anew: its offsets begin again.
            Some(last) if last.epoch != place.epoch => order.restart(self, place.epoch),
            Some(last) if place.offset <= last.offset => return false,
            _ => {}
        }
        order.end = order.end.max(place.offset);
        if order.ahead.len() < AHEAD || order.last.is_some_and(|last| place.offset == last.offset + 1) {
            order.ahead.insert(place.offset, Arc::clone(publication));
        }
        self.advance(&mut order, keep);
        order.begin_filling()
    }

    /// Notes how far the channel has come by its table. Tells whether somebody has to begin reading what is missing.
    pub(super) fn reach(self: &Arc<Self>, head: Place) -> bool {
        let mut order = self.order();
        match order.last {
            None => return false,
            Some(last) if last.epoch != head.epoch => order.restart(self, head.epoch),
            Some(_) => {}
        }
        order.end = order.end.max(head.offset);
        order.begin_filling()
    }

    /// Tells what is missing now; with nothing missing, whoever was reading is done.
    pub(super) fn missing(&self) -> Option<Missing> {
        let mut order = self.order();
        let missing = order.missing();
        order.filling = missing.is_some();
        missing
    }

    /// Goes on without everything up to `through`, which cannot be had any more, and lets clients know.
    pub(super) fn give_up(self: &Arc<Self>, epoch: Epoch, through: i64, keep: Keep) {
        let mut order = self.order();
        let Some(last) = order.last.filter(|last| last.epoch == epoch && last.offset < through) else {
            return;
        };
        let place = Place { offset: through, ..last };
        order.last = Some(place);
        order.ahead.retain(|offset, _| *offset > through);
        order.recent.clear();
        order.hand_on(&Parcel::Lost(Arc::clone(self), place, order.life));
        self.advance(&mut order, keep);
    }

    /// Lets a client of a worker in, at the place that the channel has come to; nothing is handed on before what is
    /// returned is dropped. The client gets what came after the place where it was from memory, or is not let in.
    pub(super) fn attach(&self, bag: &Arc<Bag>, after: Place) -> Result<Opening<'_>, NotYet> {
        let mut order = self.order();
        let Some(place) = order.last else { return Err(NotYet::Unknown) };
        if after.epoch != place.epoch {
            return Err(NotYet::OtherLife);
        }
        let missed = if after.offset < place.offset {
            order.recent.after(after.offset).ok_or(NotYet::Behind)?
        } else {
            Vec::new()
        };
        match order.workers.iter_mut().find(|(known, _)| Arc::ptr_eq(known, bag)) {
            Some((_, clients)) => *clients += 1,
            None => {
                order.workers.reserve_exact(1);
                order.workers.push((Arc::clone(bag), 1));
            }
        }
        Ok(Opening { place, life: order.life, missed, _order: order })
    }

    /// Lets a client of a worker out.
    pub(super) fn detach(&self, bag: &Arc<Bag>) {
        let mut order = self.order();
        if let Some(at) = order.workers.iter().position(|(known, _)| Arc::ptr_eq(known, bag)) {
            if let Some((_, clients)) = order.workers.get_mut(at) {
                *clients -= 1;
                if *clients == 0 {
                    order.workers.swap_remove(at);
                }
            }
            if order.clients() < CROWD {
                order.recent.clear();
            }
        }
    }

    /// Keeps what was read from the history for others, if there is a crowd.
    pub(super) fn remember(&self, read: &[Arc<Publication>], keep: Keep) {
        let mut order = self.order();
        let same =
            |last: &Place| read.iter().all(|one| one.place().is_some_and(|place| place.epoch == last.epoch));
        if let Some(last) = order.last.filter(same) {
            let keep = order.keep(keep);
            order.recent.extend_back(read, last.offset, keep);
        }
    }

    /// Tells whether what was handed on after an offset is in memory.
    pub(super) fn remembers(&self, after: Place) -> bool {
        let order = self.order();
        order.last.is_some_and(|last| {
            last.epoch == after.epoch
                && (after.offset >= last.offset || order.recent.after(after.offset).is_some())
        })
    }

    /// Tells every worker loop something about the channel.
    pub(super) fn tell(self: &Arc<Self>, parcel: &Parcel) {
        self.order().hand_on(parcel);
    }

    /// How many clients of this process are in the channel.
    pub(super) fn clients(&self) -> usize {
        self.order().clients()
    }

    fn advance(self: &Arc<Self>, order: &mut Order, keep: Keep) {
        let keep = order.keep(keep);
        while let Some(last) = order.last {
            let offset = last.offset + 1;
            let Some(publication) = order.ahead.remove(&offset) else { break };
            order.last = Some(Place { offset, ..last });
            order.recent.push(offset, &publication, keep);
            order.hand_on(&Parcel::publication(self, &publication, order.life));
        }
        if let Some(last) = order.last
            && !order.ahead.is_empty()
        {
            order.ahead.retain(|offset, _| *offset > last.offset);
        }
    }

    /// Entries are put in and taken out whole, so a poisoned lock is sound.
    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client is being let in.
pub(super) struct Opening<'a> {
    /// The last place that was handed on before.
    pub(super) place: Place,
    /// The life of the channel in this process, by number.
    pub(super) life: u32,
    /// What the client missed up to there.
    pub(super) missed: Vec<Arc<Publication>>,
    _order: MutexGuard<'a, Order>,
}

/// Why a client was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotYet {
    /// It has to read the history first.
    Behind,
    /// The channel is in another life than the one in which the client was, and offsets of two lives do not compare.
    OtherLife,
    /// Where the channel stands has not been looked up yet.
    Unknown,
}

impl Order {
    fn hand_on(&self, parcel: &Parcel) {
        self.workers.iter().for_each(|(bag, _)| bag.put(parcel.clone()));
    }

    fn clients(&self) -> usize {
        self.workers.iter().map(|(_, clients)| clients).sum()
    }

    /// How many of the latest publications are kept.
    fn keep(&self, most: Keep) -> Keep {
        if self.clients() < CROWD { Keep::NOTHING } else { most }
    }

    fn restart(&mut self, channel: &Arc<Channel>, epoch: Epoch) {
        self.life += 1;
        self.hand_on(&Parcel::Restarted(Arc::clone(channel), self.life));
        self.last = Some(Place { offset: 0, epoch });
        self.end = 0;
        self.ahead.clear();
        self.recent.clear();
    }

    fn missing(&self) -> Option<Missing> {
        let after = self.last?;
        let through = self.ahead.first_key_value().map_or(self.end, |(offset, _)| offset - 1);
        (through > after.offset).then_some(Missing { after, through })
    }

    fn begin_filling(&mut self) -> bool {
        let begin = !self.filling && self.missing().is_some();
        self.filling |= begin;
        begin
    }
}

#[cfg(test)]
pub(super) mod tests;
