//! Who is present, for clients that asked to be told: whenever somebody may have come or gone in a channel of theirs, its
//! members are read anew, and they hear what has changed.
//!
//! The members of a channel are at several processes, so what is told is what the table says. Comings and goings gather
//! before it is read: a client hears of a channel at most once for each `presence_gather`. Who was at a process that was
//! killed is missed when its lease is over.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use common::models::notify::NotifyFrame;
use socketio::{Encoded, Packet};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use web::ws::Frame;

use super::channel::Channel;
use super::hub::Hub;
use super::stream;
use super::worker::Parcel;
use crate::domain::{ChannelName, NotifyError};
use crate::store::presences::{self, Roster};

/// Channels whose members are read in one transaction.
const STRIDE: usize = 64;

/// The channels of a process in which clients want to know who is present.
#[derive(Default)]
pub(crate) struct Attendance {
    watched: Mutex<HashMap<ChannelName, Watched>>,
    due: Notify,
}

struct Watched {
    channel: Arc<Channel>,
    watchers: usize,
    /// What was told last.
    known: Option<Roster>,
    /// It is to be read anew.
    due: bool,
}

/// What clients are told, in the form of each door.
pub(super) struct Told {
    pub(super) frame: Frame,
    pub(super) event: Bytes,
    pub(super) packet: Encoded,
}

/// What has become of the members of a channel.
pub(super) struct News {
    /// For those who hear of it for the first time.
    pub(super) first: Arc<Told>,
    /// For the others, if anything has changed.
    pub(super) change: Option<Arc<Told>>,
}

impl Attendance {
    /// Has the members of a channel told to its clients that ask for them, until it is dropped.
    pub(super) fn watch(hub: &Hub, channel: &Arc<Channel>) -> Box<Watching> {
        let attendance = hub.attendance();
        let mut all = attendance.watched();
        let watched = all.entry(channel.name().clone()).or_insert_with(|| Watched {
            channel: Arc::clone(channel),
            watchers: 0,
            known: None,
            due: false,
        });
        watched.watchers += 1;
        watched.due = true;
        drop(all);
        attendance.due.notify_one();
        Box::new(Watching { hub: hub.clone(), channel: channel.name().clone() })
    }

    /// Hears that somebody may have come or gone.
    pub(super) fn changed(&self, channel: &ChannelName) {
        if let Some(watched) = self.watched().get_mut(channel) {
            watched.due = true;
            self.due.notify_one();
        }
    }

    /// Tells what changes, until `cancel`.
    pub(crate) async fn run(hub: Hub, cancel: CancellationToken) {
        let settings = hub.settings();
        let (gather, look) = (settings.presence_gather, settings.presence_lease / 3);
        let mut looked = Instant::now();
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = hub.attendance().due.notified() => sleep(gather).await,
                // Leases that are over tell nobody.
                () = sleep_until(looked + look) => {
                    looked = Instant::now();
                    hub.attendance().watched().values_mut().for_each(|watched| watched.due = true);
                }
            }
            for names in hub.attendance().take_due().chunks(STRIDE) {
                if let Err(error) = tell(&hub, names).await {
                    tracing::warn!(%error, "who is present could not be read; trying again");
                    names.iter().for_each(|name| hub.attendance().changed(name));
                }
            }
        }
    }

    fn take_due(&self) -> Vec<ChannelName> {
        let mut all = self.watched();
        let due = |(name, watched): (&ChannelName, &mut Watched)| {
            std::mem::take(&mut watched.due).then(|| name.clone())
        };
        all.iter_mut().filter_map(due).collect()
    }

    /// Entries are put in and taken out whole, so a poisoned lock is sound.
    fn watched(&self) -> MutexGuard<'_, HashMap<ChannelName, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn tell(hub: &Hub, names: &[ChannelName]) -> Result<(), NotifyError> {
    let (wanted, most, now) = (names.to_vec(), hub.settings().presence_members, hub.now());
    let read = hub.db().read(move |conn| {
        let rosters = wanted.into_iter().map(|name| Ok((presences::roster(conn, &name, most, now)?, name)));
        rosters.collect::<Result<Vec<_>, NotifyError>>()
    });
    for (roster, name) in read.await? {
        let mut all = hub.attendance().watched();
        let Some(watched) = all.get_mut(&name) else { continue };
        let news = News::of(&name, watched.known.as_ref(), &roster);
        watched.known = Some(roster);
        let channel = Arc::clone(&watched.channel);
        drop(all);
        channel.tell(&Parcel::Present(Arc::clone(&channel), Arc::new(news)));
    }
    Ok(())
}

impl News {
    fn of(channel: &ChannelName, before: Option<&Roster>, now: &Roster) -> Self {
        let names = |names: &BTreeSet<String>| names.iter().cloned().collect();
        let frame = |members, joined, left| NotifyFrame::Presence {
            channel: channel.as_str().to_owned(),
            count: now.count,
            members,
            joined,
            left,
        };
        let first = Told::of(&frame(now.members.as_ref().map(names), Vec::new(), Vec::new()));
        let change = before.filter(|before| *before != now).map(|before| {
            match (&before.members, &now.members) {
                (Some(old), Some(new)) => {
                    let (joined, left) = (new.difference(old), old.difference(new));
                    Told::of(&frame(None, joined.cloned().collect(), left.cloned().collect()))
                }
                // They can be named again, or no more.
                (_, new) => Told::of(&frame(new.as_ref().map(names), Vec::new(), Vec::new())),
            }
        });
        Self { first, change }
    }
}

impl Told {
    fn of(frame: &NotifyFrame) -> Arc<Self> {
        // Plain fields always have a form in JSON.
        let text = serde_json::to_string(frame).unwrap_or_default();
        let packet = Packet::event("presence").arg(frame).unwrap_or_default();
        let event = stream::event("presence", None, frame);
        Arc::new(Self { frame: Frame::text(&text), event, packet: packet.encode("/") })
    }
}

/// Somebody wants to know who is present in a channel.
pub(super) struct Watching {
    hub: Hub,
    channel: ChannelName,
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut all = self.hub.attendance().watched();
        if let Some(watched) = all.get_mut(&self.channel) {
            watched.watchers -= 1;
            if watched.watchers == 0 {
                all.remove(&self.channel);
            }
        }
    }
}
