//! Webhooks: telling receivers that an operator named who connects, and who is present.
//!
//! In: what changes in the tables of connections and presence. Out: signed requests, in the order of each channel, from
//! rows that were written in the same transaction as the change.
//!
//! What must hold: an event is a row before anybody else can see what it tells of, and stays one until its receiver has
//! taken it or it is counted as dropped, which the next event tells; no receiver keeps a client, a publisher or another
//! receiver waiting; an event that is sent again has the same id.

mod event;
pub(crate) mod pruning;
pub(crate) mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::models::{SharedClock, UnixMillis};
use db::{DbConn, DbError};
use tokio::sync::Notify;
use uuid::Uuid;
use webhook::{Message, Sender, SenderFault, Target, TargetFault, Verdict};

pub(crate) use event::Event;
pub use event::EventKind;

use crate::domain::{BadName, ChannelName};
use crate::metrics::Metrics;
use crate::settings::{NotifySettings, covers};
use crate::store::connections::ConnectionRow;
use crate::store::presences;
use crate::store::webhooks::{self, QueueName};

/// Why webhooks cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebhookFault {
    /// A receiver cannot be used.
    #[error("notify.webhooks: {0}")]
    Target(#[from] TargetFault),
    /// Nothing can be sent.
    #[error("notify.webhook_delivery: {0}")]
    Sender(#[from] SenderFault),
}

/// The receivers. Clones share them.
#[derive(Clone)]
pub(crate) struct Webhooks(Arc<Inner>);

struct Inner {
    hooks: Vec<Hook>,
    sender: Sender,
    backlog: i64,
    clock: SharedClock,
    metrics: Metrics,
}

/// A receiver, and what it is told.
struct Hook {
    target: Target,
    events: Vec<EventKind>,
    channels: Vec<String>,
    /// There may be something to send.
    wanted: Notify,
}

impl Hook {
    fn wants(&self, kind: EventKind, channel: &ChannelName) -> bool {
        self.events.contains(&kind) && covers(&self.channels, channel)
    }
}

impl Webhooks {
    /// Sets webhooks up; none when there is no receiver.
    ///
    /// # Errors
    /// [`WebhookFault`].
    pub(crate) fn new(
        settings: &NotifySettings,
        clock: SharedClock,
        metrics: Metrics,
    ) -> Result<Option<Self>, WebhookFault> {
        if settings.webhooks.is_empty() {
            return Ok(None);
        }
        let delivery = &settings.webhook_delivery;
        let hooks = settings.webhooks.iter().map(|hook| {
            Ok(Hook {
                target: hook.target(delivery.allow_http)?,
                events: hook.events.clone(),
                channels: hook.channels.clone(),
                wanted: Notify::new(),
            })
        });
        let hooks = hooks.collect::<Result<Vec<_>, TargetFault>>()?;
        let targets: Vec<Target> = hooks.iter().map(|hook| hook.target.clone()).collect();
        let sender = Sender::new(delivery, &targets)?;
        let backlog = i64::from(settings.webhook_backlog);
        Ok(Some(Self(Arc::new(Inner { hooks, sender, backlog, clock, metrics }))))
    }

    /// Gives the names of the receivers.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.hooks.iter().map(|hook| hook.target.name().to_owned()).collect()
    }

    /// Finds the receiver of this name, if devices of a channel may be reached through it.
    pub(crate) fn way_to_devices(&self, name: &str, channel: &ChannelName) -> Option<Target> {
        let named = self.0.hooks.iter().find(|hook| hook.target.name() == name)?;
        named.wants(EventKind::Notification, channel).then(|| named.target.clone())
    }

    /// Sends one request at once, apart from what waits.
    pub(crate) async fn send(&self, target: &Target, message: Message) -> Verdict {
        self.0.sender.send(target, message, self.now()).await
    }

    /// Tells whether connections of a channel are told of.
    pub(crate) fn want_connections(&self, channel: &ChannelName) -> bool {
        self.queues([EventKind::Connect, EventKind::Disconnect], channel).next().is_some()
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.0.clock.now()
    }

    /// Lets those that send look for something to send; after the commit.
    pub(crate) fn wake(&self) {
        self.0.hooks.iter().for_each(|hook| hook.wanted.notify_one());
    }

    /// Makes a change by which members may come or go, and writes down who has. Of `connections`, channels, something may
    /// be written in the same transaction: their queues are held as well, as all are held in one order.
    ///
    /// Whoever is written of is present, believed or not: one whose process was killed leaves when its rows are removed.
    pub(crate) fn with_members<T>(
        &self,
        conn: &mut DbConn,
        (mut members, connections): (Vec<(ChannelName, String)>, &[ChannelName]),
        now: UnixMillis,
        change: impl FnOnce(&mut DbConn) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        members.sort_unstable();
        members.dedup();
        let mut queues = BTreeSet::new();
        let mut watched = Vec::new();
        for member in &members {
            let own: Vec<QueueName> = self.queues([EventKind::Enter, EventKind::Leave], &member.0).collect();
            if !own.is_empty() {
                watched.push(member);
                queues.extend(own);
            }
        }
        if watched.is_empty() {
            return change(conn);
        }
        for channel in connections {
            queues.extend(self.queues([EventKind::Connect, EventKind::Disconnect], channel));
        }
        // Two processes that look at one member see each other's change: one of them waits here.
        webhooks::hold(conn, &queues, now)?;
        let before = presences::known(conn, &watched)?;
        let changed = change(conn)?;
        let after = presences::known(conn, &watched)?;
        let mut events = Vec::new();
        for (channel, member) in watched {
            let name = (channel.as_str().to_owned(), member.clone());
            let kind = match (before.contains(&name), after.contains(&name)) {
                (false, true) => EventKind::Enter,
                (true, false) => EventKind::Leave,
                _ => continue,
            };
            events.push(Event::of_member(kind, channel.clone(), member.clone(), now));
        }
        self.write(conn, events, now)?;
        Ok(changed)
    }

    /// The queues of those who want to know of any of these in a channel.
    fn queues(&self, kinds: [EventKind; 2], channel: &ChannelName) -> impl Iterator<Item = QueueName> {
        let wants = move |hook: &&Hook| kinds.iter().any(|kind| hook.wants(*kind, channel));
        self.0.hooks.iter().filter(wants).map(|hook| (hook.target.name().to_owned(), channel.clone()))
    }

    /// The events of connections that are gone.
    pub(crate) fn gone(rows: Vec<ConnectionRow>, at: UnixMillis) -> Result<Vec<Event>, DbError> {
        rows.into_iter().map(|row| of_connection(EventKind::Disconnect, row, at)).collect()
    }

    /// The event of a connection that has come.
    pub(crate) fn come(row: ConnectionRow, at: UnixMillis) -> Result<Event, DbError> {
        of_connection(EventKind::Connect, row, at)
    }

    /// Writes events down for whoever wants them.
    pub(crate) fn write(
        &self,
        conn: &mut DbConn,
        events: Vec<Event>,
        now: UnixMillis,
    ) -> Result<(), DbError> {
        let mut all: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
        for hook in &self.0.hooks {
            let wanted = events.iter().filter(|event| hook.wants(event.kind, &event.channel));
            all.entry(hook.target.name()).or_default().extend(wanted);
        }
        for (name, events) in all.into_iter().filter(|(_, events)| !events.is_empty()) {
            let dropped = webhooks::push(conn, name, events, now, self.0.backlog)?;
            let dead = self.0.metrics.webhook_dead_total.with_label_values(&[name, dropped.reason]);
            dead.inc_by(dropped.count as u64);
        }
        Ok(())
    }
}

fn of_connection(kind: EventKind, row: ConnectionRow, at: UnixMillis) -> Result<Event, DbError> {
    let channel =
        ChannelName::parse(&row.channel, usize::MAX).map_err(|error: BadName| DbError::other(error))?;
    let connection: Uuid = row.connection_id.parse().map_err(DbError::other)?;
    Ok(Event {
        id: Uuid::now_v7(),
        kind,
        at,
        channel,
        member: row.member,
        connection: Some(connection),
        token: row.token_id,
    })
}
