//! Who is present: clients whose tokens name a member, counted for each channel and member.
//!
//! Comings and goings gather here and are written down together. What a process has written is believed for as long as
//! its lease: one that is killed is not present for longer than that.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::hub::Hub;
use super::pods;
use crate::domain::{ChannelName, NotifyError};
use crate::store::presences::{self, Count};

/// A channel and one who is in it.
type Name = (ChannelName, String);

/// The members that are present by sockets of this process. Clones share it.
#[derive(Clone)]
pub(crate) struct Presence(Arc<Inner>);

struct Inner {
    process: String,
    members: Mutex<Members>,
    changed: Notify,
}

#[derive(Default)]
struct Members {
    connections: HashMap<Name, i32>,
    /// Whose count is not written down yet.
    changed: HashMap<Name, ()>,
}

impl Presence {
    /// Makes the registry of a process, under a fresh name.
    pub(crate) fn new() -> Self {
        let process = Uuid::now_v7().to_string();
        Self(Arc::new(Inner { process, members: Mutex::default(), changed: Notify::new() }))
    }

    /// Lets a member be present in a channel by one socket more.
    pub(super) fn enter(&self, channel: &ChannelName, member: &str) -> Box<Present> {
        let name = (channel.clone(), member.to_owned());
        self.0.change(name.clone(), 1);
        Box::new(Present { presence: self.clone(), name })
    }

    /// Writes down what changes, and renews the lease, until `cancel`; then takes back what was written.
    pub(crate) async fn run(&self, hub: Hub, cancel: CancellationToken) {
        let (db, settings) = (hub.db(), hub.settings());
        let renewal = settings.presence_lease / 3;
        let mut renewed = Instant::now();
        loop {
            tokio::select! {
                () = cancel.cancelled() => break,
                () = self.0.changed.notified() => sleep(settings.presence_gather).await,
                () = tokio::time::sleep_until(renewed + renewal) => {}
            }
            let renew = renewed.elapsed() >= renewal;
            let now = hub.now();
            let until = now + settings.presence_lease;
            let (counts, process) = (self.0.take_changed(), self.0.process.clone());
            let written = counts.clone();
            let writing = db.write(move |conn| {
                presences::put(conn, &written, &process, now, until)?;
                if renew {
                    presences::renew(conn, &process, until)?;
                }
                Ok::<_, NotifyError>(())
            });
            match writing.await {
                Ok(()) => {
                    tell(&hub, counts.into_iter().map(|count| count.channel));
                    if renew {
                        renewed = Instant::now();
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "presence could not be written down; trying again");
                    self.0.put_back(counts);
                    sleep(settings.presence_gather).await;
                }
            }
        }
        let process = self.0.process.clone();
        match db.write(move |conn| presences::withdraw(conn, &process)).await {
            Ok(()) => tell(&hub, self.0.members().connections.keys().map(|(channel, _)| channel.clone())),
            Err(error) => tracing::debug!(%error, "presence was not taken back; its lease will end"),
        }
    }
}

/// Lets it be known, here and at other processes, in which channels somebody may have come or gone.
fn tell(hub: &Hub, channels: impl Iterator<Item = ChannelName>) {
    for channel in channels.collect::<HashSet<_>>() {
        hub.attendance().changed(&channel);
        pods::tell_presence(hub.live(), &channel);
    }
}

impl Inner {
    fn change(&self, name: Name, by: i32) {
        let mut members = self.members();
        let connections = members.connections.entry(name.clone()).or_default();
        *connections += by;
        if *connections == 0 {
            members.connections.remove(&name);
        }
        members.changed.insert(name, ());
        drop(members);
        self.changed.notify_one();
    }

    fn take_changed(&self) -> Vec<Count> {
        let mut members = self.members();
        let changed = std::mem::take(&mut members.changed);
        let count = |(name, ()): (Name, ())| {
            let connections = members.connections.get(&name).copied().unwrap_or(0);
            Count { channel: name.0, member: name.1, connections }
        };
        changed.into_iter().map(count).collect()
    }

    fn put_back(&self, counts: Vec<Count>) {
        let mut members = self.members();
        members.changed.extend(counts.into_iter().map(|count| ((count.channel, count.member), ())));
        drop(members);
        self.changed.notify_one();
    }

    /// Entries are put in and taken out whole, so a poisoned lock is sound.
    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A member who is present by one socket, until it is dropped.
pub(super) struct Present {
    presence: Presence,
    name: Name,
}

impl Drop for Present {
    fn drop(&mut self) {
        self.presence.0.change(self.name.clone(), -1);
    }
}
