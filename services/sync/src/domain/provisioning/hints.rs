//! What is told live about an address. Only a hint, to both who wait there: whoever hears it reads the table.

use bus::live::{Live, LiveEvent, LiveSubscription};
use common::crypto::token::HashedToken;

const CHANGED: &str = "provisioning.changed";

/// Tells that the row of an address is another one.
pub(super) fn changed(live: &Live, address: HashedToken) {
    live.publish(LiveEvent::new(key(address), CHANGED, Vec::new()));
}

/// Hears of changes of an address from now on.
pub(super) fn listen(live: &Live, address: HashedToken) -> LiveSubscription {
    live.subscribe(&key(address))
}

/// The hash may be known to the broker: the address cannot be told from it.
fn key(address: HashedToken) -> Vec<u8> {
    [b"provisioning".as_slice(), address.as_slice()].concat()
}
