//! The channels that clients of this process are in, and the ways by which publications come to them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bus::live::{Live, LiveNotice, LiveSubscription, shard_of};
use common::models::notify::Place;
use common::models::{ChannelTokenId, SharedClock, UnixMillis};
use db::Db;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::attendance::Attendance;
use super::channel::{Channel, Missing};
use super::door::{Door, DoorSeries, Doors};
use super::pods;
use super::recent::Keep;
use super::worker::Parcel;
use crate::domain::{ChannelName, NotifyError, Publication, history};
use crate::metrics::Metrics;
use crate::settings::NotifySettings;

/// How long a failed reading of the history is waited for.
const RETRY: std::time::Duration = std::time::Duration::from_millis(200);

/// Readings of the history at one time, for clients that come back; the others wait in line.
const READINGS: usize = 4;

/// The hub of a process. Clones share it.
#[derive(Clone)]
pub(crate) struct Hub(Arc<Inner>);

struct Inner {
    shards: Vec<Mutex<Shard>>,
    /// Where reading from the history goes on, whatever worker thread noticed that something is missing.
    runtime: Handle,
    live: Live,
    db: Db,
    clock: SharedClock,
    settings: Arc<NotifySettings>,
    metrics: Metrics,
    /// By shard: clients that need the same part of a history have it read once.
    readers: Vec<tokio::sync::Mutex<()>>,
    readings: Semaphore,
    patrol: Notify,
    rounds: AtomicU64,
    doors: Doors,
    attendance: Attendance,
}

/// The channels of one shard of the live bus, which this process listens to while there are any.
#[derive(Default)]
struct Shard {
    channels: HashMap<ChannelName, (Arc<Channel>, usize)>,
    feed: Option<AbortOnDropHandle<()>>,
}

/// What a hub works with.
pub(crate) struct Means {
    pub(crate) live: Live,
    pub(crate) db: Db,
    pub(crate) clock: SharedClock,
    pub(crate) settings: Arc<NotifySettings>,
    pub(crate) metrics: Metrics,
}

impl Hub {
    /// Makes a hub without channels; within the runtime on which it reads.
    pub(crate) fn new(means: Means) -> Self {
        let Means { live, db, clock, settings, metrics } = means;
        let doors = Doors::of(&metrics);
        Self(Arc::new(Inner {
            shards: (0..256).map(|_| Mutex::default()).collect(),
            runtime: Handle::current(),
            live,
            db,
            clock,
            settings,
            metrics,
            readers: (0..256).map(|_| tokio::sync::Mutex::default()).collect(),
            readings: Semaphore::new(READINGS),
            patrol: Notify::new(),
            rounds: AtomicU64::new(0),
            doors,
            attendance: Attendance::default(),
        }))
    }

    /// Hands on what was committed, in its order: to clients here, and to the other processes.
    pub(crate) fn published<'a>(&self, publications: impl Iterator<Item = &'a Arc<Publication>>) {
        for publication in publications {
            self.accept(publication);
            pods::tell(&self.0.live, publication, self.0.settings.live_bytes);
        }
    }

    /// Takes a publication for the clients here.
    pub(super) fn accept(&self, publication: &Arc<Publication>) {
        if let Some(channel) = self.find(publication.channel())
            && channel.accept(publication, self.keep())
        {
            self.fill(&channel);
        }
    }

    /// Notes how far a channel has come, for what has not come here yet.
    pub(super) fn reach(&self, name: &ChannelName, head: Place) {
        if let Some(channel) = self.find(name)
            && channel.reach(head)
        {
            self.fill(&channel);
        }
    }

    /// Puts out who came in with a token, or with any of a channel.
    pub(crate) fn revoked(&self, name: &ChannelName, id: Option<ChannelTokenId>) {
        if let Some(channel) = self.find(name) {
            channel.tell(&Parcel::Revoked(Arc::clone(&channel), id));
        }
    }

    /// How many clients of this process are in a channel.
    pub(crate) fn clients(&self, name: &ChannelName) -> usize {
        self.find(name).map_or(0, |channel| channel.clients())
    }

    /// Enters a channel: from now on this process hears of it.
    pub(super) fn enter(&self, name: &ChannelName) -> Entered {
        let number = shard(name);
        let mut shard = self.shard(number);
        if shard.feed.is_none() {
            // Heard from before the first look, so that nothing falls between the two.
            let heard = self.0.live.subscribe(&pods::key(number));
            let listening = self.0.runtime.spawn(listen(Arc::downgrade(&self.0), number, heard));
            shard.feed = Some(AbortOnDropHandle::new(listening));
        }
        let (channel, users) = shard.channels.entry(name.clone()).or_insert_with(|| {
            self.0.metrics.channels.inc();
            (Channel::new(name.clone()), 0)
        });
        *users += 1;
        Entered { channel: Arc::clone(channel), hub: self.clone() }
    }

    fn leave(&self, channel: &Arc<Channel>) {
        let mut shard = self.shard(shard(channel.name()));
        let Some((_, users)) = shard.channels.get_mut(channel.name()) else { return };
        *users -= 1;
        if *users == 0 {
            shard.channels.remove(channel.name());
            self.0.metrics.channels.dec();
            if shard.channels.is_empty() {
                shard.feed = None;
            }
        }
    }

    /// Reads a part of a channel's history, in line with others.
    pub(super) async fn read(
        &self,
        name: &ChannelName,
        after: i64,
    ) -> Result<Option<history::Page>, NotifyError> {
        let _reading = self.0.readings.acquire().await;
        let (channel, now) = (name.clone(), self.now());
        let part = history::Part::of(&self.0.settings, after, now);
        self.0.db.read(move |conn| history::read(conn, &channel, part)).await
    }

    /// Waits for others who read the same part of the history.
    pub(super) async fn reader(&self, name: &ChannelName) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let reader = self.0.readers.get(usize::from(shard(name)))?;
        Some(reader.lock().await)
    }

    /// Reads what is missing in a channel, and puts it into its order.
    fn fill(&self, channel: &Arc<Channel>) {
        let (hub, channel) = (self.clone(), Arc::clone(channel));
        self.0.runtime.spawn(async move {
            // What was overtaken on its way is here in a moment.
            sleep(hub.0.settings.gap_patience).await;
            while let Some(missing) = channel.missing() {
                if let Err(error) = hub.fill_once(&channel, missing).await {
                    tracing::warn!(%error, "notifications wait: the history cannot be read; trying again");
                    sleep(RETRY).await;
                }
            }
        });
    }

    async fn fill_once(&self, channel: &Arc<Channel>, missing: Missing) -> Result<(), NotifyError> {
        let (keep, Missing { after, through }) = (self.keep(), missing);
        let read = self.read(channel.name(), after.offset).await?;
        let Some(history::Page { head, publications: rows }) = read else {
            channel.give_up(after.epoch, through, keep);
            return Ok(());
        };
        if head.epoch != after.epoch {
            channel.reach(Place { offset: head.last(), epoch: head.epoch });
            return Ok(());
        }
        let first = rows.first().and_then(|row| row.place()).map_or(i64::MAX, |place| place.offset);
        if first > after.offset + 1 {
            channel.give_up(after.epoch, through.min(first - 1), keep);
        }
        let wanted = rows.iter().take_while(|row| row.place().is_some_and(|place| place.offset <= through));
        for publication in wanted {
            self.0.metrics.gap_filled_total.inc();
            channel.accept(publication, keep);
        }
        Ok(())
    }

    /// Asks for a look at all channels, soon.
    pub(crate) fn ask_for_patrol(&self) {
        self.0.patrol.notify_one();
    }

    /// Waits until a look is asked for.
    pub(super) async fn patrol_asked(&self) {
        self.0.patrol.notified().await;
    }

    /// The names of the channels in one shard.
    pub(super) fn names(&self, number: u8) -> Vec<ChannelName> {
        self.shard(number).channels.keys().cloned().collect()
    }

    /// Has all tokens by which clients are in channels looked up.
    pub(super) fn begin_round(&self) {
        self.0.rounds.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn round(&self) -> u64 {
        self.0.rounds.load(Ordering::Relaxed)
    }

    pub(super) fn now(&self) -> UnixMillis {
        self.0.clock.now()
    }

    pub(super) fn db(&self) -> &Db {
        &self.0.db
    }

    pub(super) fn live(&self) -> &Live {
        &self.0.live
    }

    pub(super) fn settings(&self) -> &NotifySettings {
        &self.0.settings
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// How much of the latest publications of a channel is kept in memory.
    pub(super) fn keep(&self) -> Keep {
        Keep { messages: self.0.settings.recent, bytes: self.0.settings.page_bytes }
    }

    /// Who wants to know who is present.
    pub(super) fn attendance(&self) -> &Attendance {
        &self.0.attendance
    }

    /// The series of one door.
    pub(super) fn door(&self, door: Door) -> &DoorSeries {
        self.0.doors.of_door(door)
    }

    /// Tells whether both are handles on the same hub.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn find(&self, name: &ChannelName) -> Option<Arc<Channel>> {
        self.shard(shard(name)).channels.get(name).map(|(channel, _)| Arc::clone(channel))
    }

    /// Entries are put in and taken out whole, so a poisoned lock is sound.
    fn shard(&self, number: u8) -> MutexGuard<'_, Shard> {
        #[expect(clippy::indexing_slicing, reason = "there are as many shards as numbers")]
        self.0.shards[usize::from(number)].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The shard of a channel; the same in every process.
pub(super) fn shard(name: &ChannelName) -> u8 {
    shard_of(name.as_str().as_bytes())
}

/// Hears what other processes publish in one shard, until this one has no channel there.
async fn listen(hub: Weak<Inner>, number: u8, mut heard: LiveSubscription) {
    loop {
        let notice = heard.recv().await;
        let Some(hub) = hub.upgrade().map(Hub) else { return };
        match notice {
            LiveNotice::Event(event) => pods::hear(&hub, &event),
            // Whatever was missed shows in the tables, a revocation in those of tokens, who is present in theirs.
            LiveNotice::Lagged => {
                hub.begin_round();
                hub.names(number).iter().for_each(|name| hub.attendance().changed(name));
                super::patrol::look_at(&hub, number).await;
            }
        }
    }
}

/// A channel that somebody is in, or about to be; left when it is dropped.
pub(super) struct Entered {
    channel: Arc<Channel>,
    hub: Hub,
}

impl Entered {
    /// The channel.
    pub(super) fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.hub.leave(&self.channel);
    }
}
