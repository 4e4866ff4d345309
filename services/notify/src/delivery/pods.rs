//! What processes tell each other over the live bus. Only the fast way: what it drops is in the tables, but for volatile
//! publications, which are lost with it.
//!
//! A payload is a head in JSON, a line end, and the data of the notification, unless that is too large: then only its
//! place is told, and whoever has clients in the channel reads it from the history.

use std::sync::Arc;

use bus::live::{Live, LiveEvent};
use common::models::notify::Place;
use common::models::{ChannelTokenId, NotificationId, UnixMillis};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::hub::{Hub, shard};
use crate::domain::{ChannelName, Notification, Publication};

const PUBLISHED: &str = "notify.published";
const REVOKED: &str = "notify.revoked";
const PRESENCE: &str = "notify.presence";

/// The key under which the events of a shard travel.
pub(super) fn key(shard: u8) -> Vec<u8> {
    [&b"notify/"[..], &[shard]].concat()
}

#[derive(Serialize, Deserialize)]
struct PublishedHead<'a> {
    #[serde(borrow)]
    channel: std::borrow::Cow<'a, str>,
    id: NotificationId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
    at: UnixMillis,
}

#[derive(Serialize, Deserialize)]
struct RevokedHead<'a> {
    #[serde(borrow)]
    channel: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<ChannelTokenId>,
}

/// Tells the other processes of a publication; its data too, up to `inline` bytes.
pub(super) fn tell(live: &Live, publication: &Publication, inline: usize) {
    live.publish_elsewhere(|| {
        let meta = publication.meta();
        let head =
            PublishedHead { channel: meta.channel.into(), id: meta.id, place: meta.place, at: meta.at };
        // Plain fields always have a form in JSON.
        let mut payload = serde_json::to_vec(&head).unwrap_or_default();
        let data = publication.data().get();
        if data.len() <= inline || meta.place.is_none() {
            payload.push(b'\n');
            payload.extend_from_slice(data.as_bytes());
        }
        LiveEvent::new(key(shard(publication.channel())), PUBLISHED, payload)
    });
}

/// Tells the other processes that a token of a channel is revoked, or all.
pub(crate) fn tell_revoked(live: &Live, channel: &ChannelName, token: Option<ChannelTokenId>) {
    live.publish_elsewhere(|| {
        let head = RevokedHead { channel: channel.as_str().into(), token };
        // Plain fields always have a form in JSON.
        LiveEvent::new(key(shard(channel)), REVOKED, serde_json::to_vec(&head).unwrap_or_default())
    });
}

#[derive(Serialize, Deserialize)]
struct PresenceHead<'a> {
    #[serde(borrow)]
    channel: std::borrow::Cow<'a, str>,
}

/// Tells the other processes that the members of a channel have changed: its table has the new ones.
pub(super) fn tell_presence(live: &Live, channel: &ChannelName) {
    live.publish_elsewhere(|| {
        let head = PresenceHead { channel: channel.as_str().into() };
        // Plain fields always have a form in JSON.
        LiveEvent::new(key(shard(channel)), PRESENCE, serde_json::to_vec(&head).unwrap_or_default())
    });
}

/// Takes what another process told; what a later release says is passed over.
pub(super) fn hear(hub: &Hub, event: &LiveEvent) {
    let understood = match event.kind.as_str() {
        PUBLISHED => hear_published(hub, &event.payload),
        REVOKED => hear_revoked(hub, &event.payload),
        PRESENCE => hear_presence(hub, &event.payload),
        _ => Some(()),
    };
    if understood.is_none() {
        tracing::debug!(kind = event.kind, "a live event that is not in its form");
    }
}

fn hear_published(hub: &Hub, payload: &[u8]) -> Option<()> {
    let (head, data) = match payload.iter().position(|byte| *byte == b'\n') {
        Some(end) => (payload.get(..end)?, payload.get(end + 1..)),
        None => (payload, None),
    };
    let PublishedHead { channel, id, place, at } = serde_json::from_slice(head).ok()?;
    let channel = ChannelName::parse(&channel, usize::MAX).ok()?;
    match (data, place) {
        (Some(data), place) => {
            let data = RawValue::from_string(String::from_utf8(data.to_vec()).ok()?).ok()?;
            let notification = Notification { channel, id, at, data };
            hub.accept(&Publication::new(notification, place));
        }
        (None, Some(place)) => hub.reach(&channel, place),
        (None, None) => return None,
    }
    Some(())
}

fn hear_revoked(hub: &Hub, payload: &[u8]) -> Option<()> {
    let RevokedHead { channel, token } = serde_json::from_slice(payload).ok()?;
    hub.revoked(&ChannelName::parse(&channel, usize::MAX).ok()?, token);
    Some(())
}

fn hear_presence(hub: &Hub, payload: &[u8]) -> Option<()> {
    let PresenceHead { channel } = serde_json::from_slice(payload).ok()?;
    hub.attendance().changed(&ChannelName::parse(&channel, usize::MAX).ok()?);
    Some(())
}

/// Publishes what is kept nowhere, to whoever is connected.
pub(crate) fn publish_volatile(hub: &Hub, notification: Notification) -> Arc<Publication> {
    let publication = Publication::new(notification, None);
    hub.published(std::iter::once(&publication));
    publication
}
