//! From where a client was to where its channel is: what it missed, in order, and then it is let in, without a gap or a
//! repetition at the seam.

use std::rc::Rc;
use std::sync::Arc;

use common::models::notify::Place;

use super::channel::{Channel, NotYet};
use super::hub::Hub;
use super::inbox::Listener;
use super::joining::Joining;
use super::worker::{Admitted, Seat, Ticket, Worker};
use crate::domain::history::Page;
use crate::domain::{NotifyError, Publication};

/// What a client is told first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Welcome {
    /// Where the channel stands.
    pub(super) place: Place,
    /// Nothing that the client asked for is missing.
    pub(super) recovered: bool,
}

/// A client on its way into a channel.
pub(super) struct Catching {
    hub: Hub,
    ticket: Ticket,
    /// The last place that it has got, or was told of: what comes after it is its due.
    after: Place,
    /// Where it was told that the channel stands.
    told: Place,
    /// What was read already, and comes next.
    page: Vec<Arc<Publication>>,
}

/// What comes next on the way.
pub(super) enum Step {
    /// These were missed; more may follow.
    Missed(Vec<Arc<Publication>>, Catching),
    /// Everything up to this place is lost.
    Lost(Place, Catching),
    /// The client is in. These were missed last; what comes from now on is in its inbox.
    In(Seat, Vec<Arc<Publication>>),
}

impl Catching {
    /// Finds out whether everything is there that a client missed.
    pub(super) async fn begin(
        hub: &Hub,
        ticket: Ticket,
        joining: &Joining,
    ) -> Result<(Welcome, Self), NotifyError> {
        let channel = Arc::clone(ticket.entered.channel());
        let Some(place) = channel.last() else {
            return Err(db::DbError::other("a channel was entered and not looked up").into());
        };
        let mut catching = Self { hub: hub.clone(), ticket, after: place, told: place, page: Vec::new() };
        let Some(offset) = joining.offset else { return Ok((Welcome { place, recovered: true }, catching)) };
        let seen = Place { offset, epoch: joining.epoch.unwrap_or(place.epoch) };
        let recovered = seen == place || (offset >= 0 && catching.find(seen).await?);
        let outcome = if recovered { "recovered" } else { "lost" };
        hub.metrics().recoveries_total.with_label_values(&[outcome]).inc();
        // It may have moved on.
        let last = channel.last().unwrap_or(place);
        catching.after = if recovered { seen } else { last };
        // Another process may know more.
        let ahead = seen.epoch != last.epoch || seen.offset > last.offset;
        let place = if recovered && ahead { seen } else { last };
        catching.told = place;
        Ok((Welcome { place, recovered }, catching))
    }

    /// The channel.
    pub(super) fn channel(&self) -> &Arc<Channel> {
        self.ticket.entered.channel()
    }

    /// Tells whether everything after `seen` is there; what was read of it comes next.
    async fn find(&mut self, seen: Place) -> Result<bool, NotifyError> {
        let channel = Arc::clone(self.ticket.entered.channel());
        if channel.remembers(seen) {
            // Of an offset that is not here yet, the table knows whether it is one.
            return match channel.last() {
                Some(last) if last.offset >= seen.offset => Ok(true),
                _ => self.is_ahead(seen).await,
            };
        }
        let _reader = self.hub.reader(channel.name()).await;
        if channel.remembers(seen) {
            return Ok(true);
        }
        let Some(Page { head, publications: rows }) = self.hub.read(channel.name(), seen.offset).await?
        else {
            return Ok(false);
        };
        let whole = offset(rows.first()) == Some(seen.offset + 1) || head.last() == seen.offset;
        if head.epoch != seen.epoch || !whole {
            return Ok(false);
        }
        channel.remember(&rows, self.hub.keep());
        self.page = rows;
        Ok(true)
    }

    /// Tells whether a channel has come to `seen`, by its table.
    async fn is_ahead(&self, seen: Place) -> Result<bool, NotifyError> {
        let channel = self.ticket.entered.channel();
        let Some(Page { head, .. }) = self.hub.read(channel.name(), seen.offset).await? else {
            return Ok(false);
        };
        let place = Place { offset: head.last(), epoch: head.epoch };
        self.hub.reach(channel.name(), place);
        Ok(head.epoch == seen.epoch && seen.offset <= place.offset)
    }

    /// Goes on. `listener` is where the client gets what comes from now on, once it is in.
    pub(super) async fn next(mut self, listener: &Rc<dyn Listener>) -> Result<Step, NotifyError> {
        loop {
            let page = std::mem::take(&mut self.page);
            if let Some(last) = page.last().and_then(|publication| publication.place()) {
                self.after = last;
                self.hub.metrics().replayed_total.inc_by(page.len() as u64);
                return Ok(Step::Missed(page, self));
            }
            let worker = Worker::current(&self.hub);
            let (ticket, not_yet) = match worker.attach(self.ticket, self.after, listener) {
                Ok(Admitted { seat, missed }) => {
                    self.hub.metrics().replayed_total.inc_by(missed.len() as u64);
                    return Ok(Step::In(seat, missed));
                }
                Err(refused) => refused,
            };
            self.ticket = ticket;
            let lost = match not_yet {
                NotYet::Unknown => {
                    return Err(db::DbError::other("a channel was entered and not looked up").into());
                }
                NotYet::Behind => self.read_on().await?,
                NotYet::OtherLife => self.change_lives().await?,
            };
            if let Some(place) = lost {
                self.after = place;
                return Ok(Step::Lost(place, self));
            }
        }
    }

    /// Reads what comes next from the history. Tells up to where it is lost, if it went while the client was reading what
    /// came before.
    async fn read_on(&mut self) -> Result<Option<Place>, NotifyError> {
        let channel = Arc::clone(self.channel());
        let reader = self.hub.reader(channel.name()).await;
        let read = self.hub.read(channel.name(), self.after.offset).await?;
        drop(reader);
        let rows = read.map(|page| page.publications).unwrap_or_default();
        let next = Place { offset: self.after.offset + 1, ..self.after };
        if rows.first().and_then(|row| row.place()) != Some(next) {
            return Ok(channel.last());
        }
        channel.remember(&rows, self.hub.keep());
        self.page = rows;
        Ok(None)
    }

    /// Goes on in the life that the channel has by its table, of which either the client or this process has not heard
    /// yet: in one that is new to the client, everything is its due. Tells up to where something is lost: of the life
    /// before, if the client had not come to where it was told that it stands; or everything, if the channel has none.
    async fn change_lives(&mut self) -> Result<Option<Place>, NotifyError> {
        let Some(Page { head, .. }) = self.hub.read(self.channel().name(), self.after.offset).await? else {
            return Ok(self.channel().last());
        };
        self.hub.reach(self.channel().name(), Place { offset: head.last(), epoch: head.epoch });
        if head.epoch == self.after.epoch {
            return Ok(None);
        }
        let behind = self.told.epoch == self.after.epoch && self.after.offset < self.told.offset;
        self.after = Place { offset: 0, epoch: head.epoch };
        Ok(behind.then_some(self.after))
    }
}

fn offset(publication: Option<&Arc<Publication>>) -> Option<i64> {
    publication.and_then(|publication| publication.place()).map(|place| place.offset)
}

#[cfg(test)]
mod tests {
    use common::models::{Epoch, SystemClock, UnixMillis};
    use telemetry::prometheus::Registry;
    use testkit::database::TestDb;

    use super::*;
    use crate::delivery::channel::CROWD;
    use crate::delivery::channel::tests::{place, publication, publication_of};
    use crate::delivery::hub::Means;
    use crate::delivery::inbox::{Delivery, Inbox, InboxLimits};
    use crate::delivery::worker::Bag;
    use crate::domain::Pass;
    use crate::metrics::Metrics;
    use crate::settings::NotifySettings;
    use crate::store::{MIGRATIONS, channels};

    /// A process on a database without channels, a channel in it, and what lets a client into that.
    struct World {
        test: TestDb,
        hub: Hub,
        channel: Arc<Channel>,
        ticket: Ticket,
    }

    impl World {
        async fn begin() -> Self {
            let test = TestDb::sqlite().await;
            let db = test.open();
            db.migrate(&MIGRATIONS).await.unwrap();
            let hub = Hub::new(Means {
                live: bus::live::Live::in_process(),
                db,
                clock: Arc::new(SystemClock),
                settings: Arc::new(NotifySettings::default()),
                metrics: Metrics::register(&Registry::new()).unwrap(),
            });
            let ticket = ticket(&hub);
            Self { test, channel: Arc::clone(ticket.entered.channel()), hub, ticket }
        }
    }

    /// What lets a client into a channel that stands at 3 at first, with a crowd in it: the latest publications are in memory.
    fn ticket(hub: &Hub) -> Ticket {
        let entered = hub.enter(publication(1).channel());
        let (channel, bag) = (entered.channel(), Bag::new(10_000));
        channel.begin(place(3), hub.keep());
        for _ in 0..CROWD {
            assert!(channel.attach(&bag, channel.last().unwrap()).is_ok());
        }
        let pass = Pass::Token { id: [0; 16], made_at: UnixMillis(0), expires_at: UnixMillis(i64::MAX) };
        Ticket { entered, pass, present: None, attends: false, online: None, link: None }
    }

    fn joining(offset: Option<i64>) -> Joining {
        Joining { token: String::new(), offset, epoch: None, presence: false }
    }

    /// A client that was let in.
    struct Client {
        inbox: Rc<Inbox>,
        /// What it had missed.
        missed: Vec<Place>,
        _seat: Seat,
    }

    /// Lets a client in.
    async fn let_in(catching: Catching) -> Client {
        let inbox = Inbox::new(InboxLimits { messages: 10, bytes: 1000 });
        let listener: Rc<dyn Listener> = inbox.clone();
        match catching.next(&listener).await.unwrap() {
            Step::In(seat, missed) => {
                let missed = missed.iter().map(|one| one.place().unwrap()).collect();
                Client { inbox, missed, _seat: seat }
            }
            Step::Missed(..) | Step::Lost(..) => panic!("it is in memory"),
        }
    }

    /// Begins another life of the channel, by its table too, with one publication. Gives the place of that.
    async fn begin_another_life(test: &TestDb, hub: &Hub, channel: &Arc<Channel>) -> Place {
        let (epoch, name) = (Epoch::new(), channel.name().clone());
        let opening =
            test.open().write(move |conn| channels::open(conn, &[&name], epoch, UnixMillis(0))).await;
        opening.unwrap();
        let first = Place { offset: 1, epoch };
        channel.accept(&publication_of(first), hub.keep());
        first
    }

    #[test]
    fn what_comes_after_the_place_that_a_client_is_told_reaches_it() {
        actix_rt::System::new().block_on(async {
            for (offset, recovered) in [(None, true), (Some(1), false), (Some(3), true)] {
                let World { test: _test, hub, channel, ticket } = World::begin().await;

                let (welcome, catching) = Catching::begin(&hub, ticket, &joining(offset)).await.unwrap();
                channel.accept(&publication(4), hub.keep());

                assert_eq!(welcome, Welcome { place: place(3), recovered }, "from {offset:?}");
                assert_eq!(let_in(catching).await.missed, [place(4)], "from {offset:?}");
            }
        });
    }

    #[test]
    fn what_comes_in_another_life_reaches_a_client_from_its_beginning() {
        actix_rt::System::new().block_on(async {
            let World { test, hub, channel, ticket } = World::begin().await;

            let (_, catching) = Catching::begin(&hub, ticket, &joining(None)).await.unwrap();
            let first = begin_another_life(&test, &hub, &channel).await;

            assert_eq!(let_in(catching).await.missed, [first]);
        });
    }

    #[test]
    fn what_a_client_was_promised_of_an_earlier_life_is_told_as_lost() {
        actix_rt::System::new().block_on(async {
            let World { test, hub, channel, ticket } = World::begin().await;
            channel.accept(&publication(4), hub.keep());

            let (welcome, catching) = Catching::begin(&hub, ticket, &joining(Some(3))).await.unwrap();
            let first = begin_another_life(&test, &hub, &channel).await;
            let listener: Rc<dyn Listener> = Inbox::new(InboxLimits { messages: 10, bytes: 1000 });
            let step = catching.next(&listener).await.unwrap();

            assert_eq!(welcome, Welcome { place: place(4), recovered: true });
            let Step::Lost(lost, catching) = step else { panic!("4 is of another life") };
            assert_eq!(lost, Place { offset: 0, ..first });
            assert_eq!(let_in(catching).await.missed, [first]);
        });
    }

    #[test]
    fn a_client_of_a_later_life_is_not_meant_by_the_beginning_of_it() {
        actix_rt::System::new().block_on(async {
            let World { test, hub, channel, ticket } = World::begin().await;
            let (_, catching) = Catching::begin(&hub, ticket, &joining(None)).await.unwrap();
            let early = let_in(catching).await;

            // Its loop has not been told yet when the second one comes.
            let first = begin_another_life(&test, &hub, &channel).await;
            let (_, catching) = Catching::begin(&hub, self::ticket(&hub), &joining(None)).await.unwrap();
            let late = let_in(catching).await;
            let second = Place { offset: 2, ..first };
            channel.accept(&publication_of(second), hub.keep());

            assert_eq!(places(&early.inbox, 2).await, [first, second]);
            assert_eq!(places(&late.inbox, 1).await, [second]);
        });
    }

    /// The places of the next publications.
    async fn places(inbox: &Inbox, count: usize) -> Vec<Place> {
        let mut places = Vec::new();
        while places.len() < count {
            for delivery in inbox.next().await.unwrap() {
                let Delivery::Publication(publication) = delivery else { panic!("not a publication") };
                places.push(publication.place().unwrap());
            }
        }
        places
    }
}
