//! What is told live about a mailbox. Only hints: whoever hears one reads the table, and nothing breaks if one is lost.

use bus::live::{Live, LiveEvent, LiveNotice};
use common::models::Generation;
use common::models::ws::KeysLow;

use crate::domain::MailboxId;

const STORED: &str = "stored";
const CLOSED: &str = "closed";
const CLAIMED: &str = "claimed";
const KEYS_LOW: &str = "keys.low";

/// A hint as it is heard.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Hint {
    /// There may be envelopes.
    Stored,
    /// A life of the device ended.
    Closed(Generation),
    /// The device connected, here or elsewhere; the number of its claim.
    Claimed(i64),
    /// The device runs out of prekeys.
    KeysLow(KeysLow),
}

/// Tells that there are envelopes.
pub(crate) fn stored(live: &Live, id: MailboxId) {
    tell(live, id, STORED, Vec::new());
}

/// Tells that a life of the device ended.
pub(crate) fn closed(live: &Live, id: MailboxId, generation: Generation) {
    tell(live, id, CLOSED, generation.to_string().into_bytes());
}

/// Tells that the device connected, and claimed the mailbox.
pub(crate) fn claimed(live: &Live, id: MailboxId, claim: i64) {
    tell(live, id, CLAIMED, claim.to_be_bytes().to_vec());
}

/// Tells that the device runs out of prekeys.
pub(crate) fn keys_low(live: &Live, id: MailboxId, keys: KeysLow) {
    // Two plain fields always have a form in JSON.
    let payload = serde_json::to_vec(&keys).unwrap_or_default();
    tell(live, id, KEYS_LOW, payload);
}

fn tell(live: &Live, id: MailboxId, kind: &str, payload: Vec<u8>) {
    live.publish(LiveEvent::new(id.live_key().to_vec(), kind, payload));
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
        CLAIMED => Some(Hint::Claimed(i64::from_be_bytes(event.payload[..].try_into().ok()?))),
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
        let keys = KeysLow { kind: PreKeyKind::Ec, remaining: 3 };

        stored(&live, id);
        closed(&live, id, generation);
        claimed(&live, id, 7);
        keys_low(&live, id, keys);
        tell(&live, id, "of a later release", Vec::new());

        let hints: Vec<_> = std::iter::from_fn(|| heard.try_recv()).map(|notice| read(&notice)).collect();
        assert_eq!(
            hints,
            [
                Some(Hint::Stored),
                Some(Hint::Closed(generation)),
                Some(Hint::Claimed(7)),
                Some(Hint::KeysLow(keys)),
                None
            ]
        );
    }
}
