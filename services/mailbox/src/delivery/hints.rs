//! What is told live about a mailbox. Only hints: whoever hears one reads the table, and nothing breaks if one is lost.

use bus::live::{Live, LiveEvent, LiveNotice};
use common::models::Generation;
use common::models::ws::KeysLow;

use super::sockets::Announcement;
use crate::domain::MailboxId;

const STORED: &str = "stored";
const CLOSED: &str = "closed";
const CONNECTED: &str = "connected";
const KEYS_LOW: &str = "keys.low";

/// A hint as it is heard.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Hint {
    /// There may be envelopes.
    Stored,
    /// A life of the device ended.
    Closed(Generation),
    /// The device connected, here or elsewhere.
    Connected(Announcement),
    /// The device runs out of prekeys.
    KeysLow(KeysLow),
}

/// Tells that there are envelopes.
pub(crate) fn stored(live: &Live, id: MailboxId) {
    live.publish(LiveEvent::new(id.live_key(), STORED, ""));
}

/// Tells that a life of the device ended.
pub(crate) fn closed(live: &Live, id: MailboxId, generation: Generation) {
    live.publish(LiveEvent::new(id.live_key(), CLOSED, generation.to_string().into_bytes()));
}

/// Tells that the device connected.
pub(crate) fn connected(live: &Live, id: MailboxId, announcement: Announcement) {
    live.publish(LiveEvent::new(id.live_key(), CONNECTED, announcement.to_bytes()));
}

/// Tells that the device runs out of prekeys.
pub(crate) fn keys_low(live: &Live, id: MailboxId, keys: KeysLow) {
    // Two plain fields always have a form in JSON.
    let payload = serde_json::to_vec(&keys).unwrap_or_default();
    live.publish(LiveEvent::new(id.live_key(), KEYS_LOW, payload));
}

/// Reads a notice; `None` for one of a later release.
pub(crate) fn read(notice: &LiveNotice) -> Option<Hint> {
    let event = match notice {
        // Whatever was missed shows in the table.
        LiveNotice::Lagged => return Some(Hint::Stored),
        LiveNotice::Event(event) => event,
    };
    match event.kind.as_str() {
        STORED => Some(Hint::Stored),
        CLOSED => std::str::from_utf8(&event.payload).ok()?.parse().ok().map(Hint::Closed),
        CONNECTED => Announcement::from_bytes(&event.payload).map(Hint::Connected),
        KEYS_LOW => serde_json::from_slice(&event.payload).ok().map(Hint::KeysLow),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use common::models::events::PreKeyKind;
    use common::models::{AccountId, DeviceId};

    use super::*;

    #[test]
    fn hints_are_heard_as_they_were_told() {
        let live = Live::in_process();
        let id = MailboxId { account: AccountId::new(), device: DeviceId::new(1).unwrap() };
        let mut heard = live.subscribe(&id.live_key());
        let generation = Generation::new();
        let announcement = Announcement::new(uuid::Uuid::new_v4());
        let keys = KeysLow { kind: PreKeyKind::Ec, remaining: 3 };

        stored(&live, id);
        closed(&live, id, generation);
        connected(&live, id, announcement);
        keys_low(&live, id, keys);
        live.publish(LiveEvent::new(id.live_key(), "of a later release", ""));

        let hints: Vec<_> = std::iter::from_fn(|| heard.try_recv()).map(|notice| read(&notice)).collect();
        assert_eq!(
            hints,
            [
                Some(Hint::Stored),
                Some(Hint::Closed(generation)),
                Some(Hint::Connected(announcement)),
                Some(Hint::KeysLow(keys)),
                None
            ]
        );
    }
}
