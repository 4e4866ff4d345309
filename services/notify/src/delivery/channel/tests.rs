//! What comes in any order, and what is handed on.

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

pub(in crate::delivery) fn publication_of(place: Place) -> Arc<Publication> {
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
    channel.begin(place(offset), Keep::NOTHING);
    assert!(channel.attach(&bag, place(offset)).is_ok());
    (channel, bag)
}

fn handed_on(bag: &Bag) -> Vec<i64> {
    let offset = |parcel: &Parcel| match parcel {
        Parcel::Publication(_, publication, _) => publication.place().unwrap().offset,
        Parcel::Lost(_, place, _) => -place.offset,
        _ => 0,
    };
    bag.take().parcels.iter().map(offset).collect()
}

#[test]
fn what_comes_twice_or_too_early_is_put_into_order() {
    let (channel, bag) = begun(3);

    let began: Vec<bool> = [3, 6, 5, 5, 4, 4, 7]
        .iter()
        .map(|offset| channel.accept(&publication(*offset), Keep::NOTHING))
        .collect();

    assert_eq!(handed_on(&bag), [4, 5, 6, 7]);
    assert_eq!(began, [false, true, false, false, false, false, false], "one reads what is missing");
    assert_eq!(channel.missing(), None);
}

#[test]
fn what_is_missing_is_told_until_it_is_there_or_given_up() {
    let (channel, bag) = begun(0);

    assert!(channel.accept(&publication(5), Keep::NOTHING));
    assert!(!channel.reach(place(9)), "somebody is at it");
    assert_eq!(channel.missing(), Some(Missing { after: place(0), through: 4 }));
    channel.accept(&publication(1), Keep::NOTHING);
    channel.give_up(place(0).epoch, 4, Keep::NOTHING);

    assert_eq!(handed_on(&bag), [1, -4, 5]);
    assert_eq!(channel.missing(), Some(Missing { after: place(5), through: 9 }));
    (6..=9).for_each(|offset| assert!(!channel.accept(&publication(offset), Keep::NOTHING)));
    assert_eq!(channel.missing(), None);
    assert!(channel.reach(place(10)), "and then anew");
}

#[test]
fn what_comes_before_the_channel_was_looked_up_waits() {
    let (channel, bag) = (Channel::new(name()), Bag::new(10_000));
    channel.accept(&publication(3), Keep::NOTHING);
    channel.accept(&publication(2), Keep::NOTHING);
    assert_eq!(channel.attach(&bag, place(1)).err(), Some(NotYet::Unknown));

    channel.begin(place(1), Keep::NOTHING);

    assert_eq!(channel.last(), Some(place(3)));
    assert_eq!(channel.attach(&bag, place(1)).err(), Some(NotYet::Behind));
}

#[test]
fn another_life_begins_its_offsets_anew() {
    let (channel, bag) = begun(7);
    let epoch = Epoch::new();
    let other = publication_of(Place { offset: 1, epoch });

    channel.accept(&other, Keep::NOTHING);

    assert_eq!(handed_on(&bag), [0, 1], "clients hear of it first");
    assert_eq!(channel.last(), Some(Place { offset: 1, epoch }));
    assert_eq!(channel.attach(&bag, place(7)).err(), Some(NotYet::OtherLife), "offset 7 is of the other");
}

#[test]
fn a_crowd_gets_what_it_missed_from_memory() {
    let (channel, bag) = begun(0);
    let mut more = 1;
    while more < CROWD {
        assert!(channel.attach(&bag, place(0)).is_ok());
        more += 1;
    }
    (1..=5).for_each(|offset| {
        channel.accept(&publication(offset), Keep { messages: 4, bytes: 1000 });
    });

    let Ok(opening) = channel.attach(&bag, place(2)) else { panic!("it is in memory") };
    let (missed, at) = (opening.missed.len(), opening.place);
    drop(opening);

    assert_eq!((missed, at), (3, place(5)));
    assert_eq!(channel.attach(&bag, place(0)).err(), Some(NotYet::Behind));
    (0..=CROWD).for_each(|_| channel.detach(&bag));
    assert_eq!(channel.clients(), 0);
}
