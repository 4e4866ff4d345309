//! What is told live about a mailbox. Only hints: whoever hears one reads the table, and nothing breaks if one is lost.
//! Envelopes for connected devices alone travel the same way, and are lost with it.

use bus::live::{Live, LiveEvent, LiveNotice};
use common::models::Generation;
use common::models::ws::KeysLow;

use crate::domain::MailboxId;
use crate::domain::online::OnlineEnvelope;

const STORED: &str = "stored";
const CLOSED: &str = "closed";
const CLAIMED: &str = "claimed";
const ONLINE: &str = "online";
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
    /// An envelope that is in no table.
    Online(Box<OnlineEnvelope>),
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

/// Passes an envelope on to whoever has the socket now.
pub(crate) fn online(live: &Live, id: MailboxId, envelope: &OnlineEnvelope) {
    // Plain fields always have a form in JSON.
    tell(live, id, ONLINE, serde_json::to_vec(envelope).unwrap_or_default());
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
        ONLINE => serde_json::from_slice(&event.payload).ok().map(Hint::Online),
        KEYS_LOW => serde_json::from_slice(&event.payload).ok().map(Hint::KeysLow),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use common::models::events::PreKeyKind;
    use common::models::{AccountId, Base64Bytes, DeviceId, EnvelopeId, UnixMillis};

    use super::*;

    #[test]
    fn hints_are_heard_as_they_were_told() {
        let live = Live::in_process();
        let id = MailboxId { account: AccountId::new(), device: DeviceId::new(1).unwrap() };
        let mut heard = live.subscribe(&id.live_key());
        let generation = Generation::new();
        let envelope = OnlineEnvelope {
            guid: EnvelopeId::new(),
            kind: 1,
            source_account: id.account,
            source_device: id.device,
            timestamp: UnixMillis(1),
            server_timestamp: UnixMillis(2),
            content: Base64Bytes(vec![1, 2, 3]),
        };
        let keys = KeysLow { kind: PreKeyKind::Ec, remaining: 3 };

        stored(&live, id);
        closed(&live, id, generation);
        claimed(&live, id, 7);
        keys_low(&live, id, keys);
        online(&live, id, &envelope);
        tell(&live, id, "of a later release", Vec::new());

        let hints: Vec<_> = std::iter::from_fn(|| heard.try_recv()).map(|notice| read(&notice)).collect();
        assert_eq!(
            hints,
            [
                Some(Hint::Stored),
                Some(Hint::Closed(generation)),
                Some(Hint::Claimed(7)),
                Some(Hint::KeysLow(keys)),
                Some(Hint::Online(Box::new(envelope.clone()))),
                None
            ]
        );
    }
}
