//! Who is present: clients whose tokens name a member, counted for each channel and member; and each connection by itself
//! where a webhook tells of it.
//!
//! Comings and goings gather here and are written down together. What a process has written is believed for as long as
//! its lease: one that is killed is not present for longer than that.

mod connected;
mod written;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::models::UnixMillis;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(super) use self::connected::{Connected, Link};
use self::connected::{Connection, Move};
use self::written::{Change, Lease};
use super::hub::Hub;
use super::pods;
use crate::domain::{ChannelName, NotifyError};
use crate::store::presences::Count;
use crate::webhooks::Webhooks;

/// A channel and one who is in it.
type Name = (ChannelName, String);

/// The members that are present by sockets of this process. Clones share it.
#[derive(Clone)]
pub(crate) struct Presence(Arc<Inner>);

struct Inner {
    process: String,
    members: Mutex<Members>,
    changed: Notify,
    webhooks: Option<Webhooks>,
}

#[derive(Default)]
struct Members {
    connections: HashMap<Name, i32>,
    /// Whose count is not written down yet.
    changed: HashMap<Name, ()>,
    /// Connections of which receivers of webhooks are told.
    open: HashMap<Uuid, Arc<Connection>>,
    /// Those that have come or gone, and of which it is not written down yet.
    moves: Vec<Move>,
}

impl Presence {
    /// Makes the registry of a process, under a fresh name.
    pub(crate) fn new(webhooks: Option<Webhooks>) -> Self {
        let process = Uuid::now_v7().to_string();
        Self(Arc::new(Inner { process, members: Mutex::default(), changed: Notify::new(), webhooks }))
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
            let lease = match renewed.elapsed() {
                // So late that others may have taken this process for dead, and removed what it had said.
                late if late >= 2 * renewal => Lease::Anew,
                due if due >= renewal => Lease::Renewed,
                _ => Lease::Runs,
            };
            let now = hub.now();
            let until = now + settings.presence_lease;
            let change = self.0.take_changed(now, until, lease);
            let written = change.clone();
            match db.write(move |conn| written.write(conn).map_err(NotifyError::from)).await {
                Ok(()) => {
                    self.0.wake_webhooks();
                    tell(&hub, change.counts.into_iter().map(|count| count.channel));
                    if lease != Lease::Runs {
                        renewed = Instant::now();
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "presence could not be written down; trying again");
                    self.0.put_back(change);
                    sleep(settings.presence_gather).await;
                }
            }
        }
        let now = hub.now();
        let last = self.0.take_changed(now, now, Lease::Runs);
        // Two transactions: each holds the queues of webhooks in their order.
        let other = last.clone();
        let withdrawing = async {
            db.write(move |conn| last.withdraw_members(conn).map_err(NotifyError::from)).await?;
            db.write(move |conn| other.withdraw_connections(conn).map_err(NotifyError::from)).await
        };
        match withdrawing.await {
            Ok(()) => {
                self.0.wake_webhooks();
                tell(&hub, self.0.members().connections.keys().map(|(channel, _)| channel.clone()));
            }
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

    fn take_changed(&self, now: UnixMillis, until: UnixMillis, lease: Lease) -> Change {
        let mut members = self.members();
        let mut changed = std::mem::take(&mut members.changed);
        let mut open = Vec::new();
        if lease == Lease::Anew {
            changed.extend(members.connections.keys().map(|name| (name.clone(), ())));
            open.extend(members.open.values().cloned());
        }
        let count = |(name, ()): (Name, ())| {
            let connections = members.connections.get(&name).copied().unwrap_or(0);
            Count { channel: name.0, member: name.1, connections }
        };
        let counts = changed.into_iter().map(count).collect();
        let moves = std::mem::take(&mut members.moves);
        let webhooks = self.webhooks.clone();
        Change { process: self.process.clone(), counts, open, moves, now, until, lease, webhooks }
    }

    fn put_back(&self, change: Change) {
        let mut members = self.members();
        members.changed.extend(change.counts.into_iter().map(|count| ((count.channel, count.member), ())));
        let later = std::mem::replace(&mut members.moves, change.moves);
        members.moves.extend(later);
        drop(members);
        self.changed.notify_one();
    }

    fn wake_webhooks(&self) {
        if let Some(webhooks) = &self.webhooks {
            webhooks.wake();
        }
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
