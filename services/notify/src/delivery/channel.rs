//! One channel that clients of this process are in: puts what comes into order.
//!
//! What must hold: each worker loop gets every publication of the channel after the offset at which its first client
//! came, once, in the order of the offsets, or is told that some are lost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::models::Epoch;
use common::models::notify::Place;

use super::recent::Recent;
use super::worker::{Bag, Parcel};
use crate::domain::{ChannelName, Publication};

/// Publications that wait for an earlier one. Beyond it they are read from the history, as that one is.
const AHEAD: usize = 1024;

/// Clients from which on the latest publications are worth keeping in memory.
const CROWD: usize = 8;

/// A channel in use.
pub(crate) struct Channel {
    name: ChannelName,
    order: Mutex<Order>,
}

/// Where a channel stands in this process.
struct Order {
    /// The last place that was handed on; none before it was looked up.
    last: Option<Place>,
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
    pub(super) fn begin(self: &Arc<Self>, head: Place, keep: usize) {
        let mut order = self.order();
        if order.last.is_none() {
            order.last = Some(head);
            order.end = order.end.max(head.offset);
            self.advance(&mut order, keep);
        }
    }

    /// Takes a publication. Tells whether somebody has to begin reading what is missing before it.
    pub(super) fn accept(self: &Arc<Self>, publication: &Arc<Publication>, keep: usize) -> bool {
        let mut order = self.order();
        let Some(place) = publication.place() else {
            order.hand_on(&Parcel::publication(self, publication));
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
    pub(super) fn give_up(self: &Arc<Self>, epoch: Epoch, through: i64, keep: usize) {
        let mut order = self.order();
        let Some(last) = order.last.filter(|last| last.epoch == epoch && last.offset < through) else {
            return;
        };
        let place = Place { offset: through, ..last };
        order.last = Some(place);
        order.ahead.retain(|offset, _| *offset > through);
        order.recent.clear();
        order.hand_on(&Parcel::Lost(Arc::clone(self), place));
        self.advance(&mut order, keep);
    }

    /// Lets a client of a worker in, at the place that the channel has come to; nothing is handed on before what is
    /// returned is dropped. A client that says where it was gets what came after that from memory, or is not let in.
    pub(super) fn attach(&self, bag: &Arc<Bag>, after: Option<i64>) -> Result<Opening<'_>, NotYet> {
        let mut order = self.order();
        let Some(place) = order.last else { return Err(NotYet::Unknown) };
        let missed = match after {
            Some(after) if after < place.offset => order.recent.after(after).ok_or(NotYet::Behind)?,
            _ => Vec::new(),
        };
        match order.workers.iter_mut().find(|(known, _)| Arc::ptr_eq(known, bag)) {
            Some((_, clients)) => *clients += 1,
            None => {
                order.workers.reserve_exact(1);
                order.workers.push((Arc::clone(bag), 1));
            }
        }
        Ok(Opening { place, missed, _order: order })
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
    pub(super) fn remember(&self, read: &[Arc<Publication>], keep: usize) {
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

    fn advance(self: &Arc<Self>, order: &mut Order, keep: usize) {
        let keep = order.keep(keep);
        while let Some(last) = order.last {
            let offset = last.offset + 1;
            let Some(publication) = order.ahead.remove(&offset) else { break };
            order.last = Some(Place { offset, ..last });
            order.recent.push(offset, &publication, keep);
            order.hand_on(&Parcel::publication(self, &publication));
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
    /// What the client missed up to there.
    pub(super) missed: Vec<Arc<Publication>>,
    _order: MutexGuard<'a, Order>,
}

/// Why a client was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotYet {
    /// It has to read the history first.
    Behind,
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
    fn keep(&self, most: usize) -> usize {
        if self.clients() < CROWD { 0 } else { most }
    }

    fn restart(&mut self, channel: &Arc<Channel>, epoch: Epoch) {
        self.hand_on(&Parcel::Restarted(Arc::clone(channel)));
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
pub(super) mod tests {
    use common::models::{NotificationId, UnixMillis};
    use serde_json::value::RawValue;

    use super::*;
    use crate::domain::Notification;

    const EPOCH: &str = "5e0c26b0-5e5a-4c0e-8f0a-0123456789ab";

    pub(in crate::delivery) fn place(offset: i64) -> Place {
        Place { offset, epoch: EPOCH.parse().unwrap() }
    }

    pub(in crate::delivery) fn publication(offset: i64) -> Arc<Publication> {
        publication_of(place(offset))
    }

    fn publication_of(place: Place) -> Arc<Publication> {
        let notification = Notification {
            channel: name(),
            id: NotificationId::new(),
            at: UnixMillis(0),
            data: RawValue::from_string(place.offset.to_string()).unwrap(),
        };
        Publication::new(notification, Some(place))
    }

    fn name() -> ChannelName {
        ChannelName::parse("a", 255).unwrap()
    }

    /// A channel with one client, whose loop's bag is looked into.
    fn begun(offset: i64) -> (Arc<Channel>, Arc<Bag>) {
        let (channel, bag) = (Channel::new(name()), Bag::new(10_000));
        channel.begin(place(offset), 0);
        assert!(channel.attach(&bag, None).is_ok());
        (channel, bag)
    }

    fn handed_on(bag: &Bag) -> Vec<i64> {
        let offset = |parcel: &Parcel| match parcel {
            Parcel::Publication(_, publication) => publication.place().unwrap().offset,
            Parcel::Lost(_, place) => -place.offset,
            _ => 0,
        };
        bag.take().parcels.iter().map(offset).collect()
    }

    #[test]
    fn what_comes_twice_or_too_early_is_put_into_order() {
        let (channel, bag) = begun(3);

        let began: Vec<bool> =
            [3, 6, 5, 5, 4, 4, 7].iter().map(|offset| channel.accept(&publication(*offset), 0)).collect();

        assert_eq!(handed_on(&bag), [4, 5, 6, 7]);
        assert_eq!(began, [false, true, false, false, false, false, false], "one reads what is missing");
        assert_eq!(channel.missing(), None);
    }

    #[test]
    fn what_is_missing_is_told_until_it_is_there_or_given_up() {
        let (channel, bag) = begun(0);

        assert!(channel.accept(&publication(5), 0));
        assert!(!channel.reach(place(9)), "somebody is at it");
        assert_eq!(channel.missing(), Some(Missing { after: place(0), through: 4 }));
        channel.accept(&publication(1), 0);
        channel.give_up(place(0).epoch, 4, 0);

        assert_eq!(handed_on(&bag), [1, -4, 5]);
        assert_eq!(channel.missing(), Some(Missing { after: place(5), through: 9 }));
        (6..=9).for_each(|offset| assert!(!channel.accept(&publication(offset), 0)));
        assert_eq!(channel.missing(), None);
        assert!(channel.reach(place(10)), "and then anew");
    }

    #[test]
    fn what_comes_before_the_channel_was_looked_up_waits() {
        let (channel, bag) = (Channel::new(name()), Bag::new(10_000));
        channel.accept(&publication(3), 0);
        channel.accept(&publication(2), 0);
        assert_eq!(channel.attach(&bag, None).err(), Some(NotYet::Unknown));

        channel.begin(place(1), 0);

        assert_eq!(channel.last(), Some(place(3)));
        assert_eq!(channel.attach(&bag, Some(1)).err(), Some(NotYet::Behind));
    }

    #[test]
    fn another_life_begins_its_offsets_anew() {
        let (channel, bag) = begun(7);
        let epoch = Epoch::new();
        let other = publication_of(Place { offset: 1, epoch });

        channel.accept(&other, 0);

        assert_eq!(handed_on(&bag), [0, 1], "clients hear of it first");
        assert_eq!(channel.last(), Some(Place { offset: 1, epoch }));
    }

    #[test]
    fn a_crowd_gets_what_it_missed_from_memory() {
        let (channel, bag) = begun(0);
        let mut more = 1;
        while more < CROWD {
            assert!(channel.attach(&bag, None).is_ok());
            more += 1;
        }
        (1..=5).for_each(|offset| {
            channel.accept(&publication(offset), 4);
        });

        let Ok(opening) = channel.attach(&bag, Some(2)) else { panic!("it is in memory") };
        let (missed, at) = (opening.missed.len(), opening.place);
        drop(opening);

        assert_eq!((missed, at), (3, place(5)));
        assert_eq!(channel.attach(&bag, Some(0)).err(), Some(NotYet::Behind));
        (0..=CROWD).for_each(|_| channel.detach(&bag));
        assert_eq!(channel.clients(), 0);
    }
}
