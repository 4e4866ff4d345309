//! What is told live when a session gets its device. Only a hint: whoever hears it reads the table.

use bus::live::{Live, LiveEvent, LiveSubscription};
use common::models::AccountId;

const BOUND: &str = "session.bound";

/// Tells whoever waits for a device of the account.
pub(crate) fn tell(live: &Live, account: AccountId) {
    live.publish(LiveEvent::new(key(account), BOUND, Vec::new()));
}

/// Hears of devices of the account from now on.
pub(crate) fn listen(live: &Live, account: AccountId) -> LiveSubscription {
    live.subscribe(&key(account))
}

/// Differs from the keys of mailboxes and channels: the fan-out is one for all services.
fn key(account: AccountId) -> Vec<u8> {
    [b"auth".as_slice(), &account.to_bytes()].concat()
}
