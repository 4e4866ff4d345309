//! What there is of one account in the tables of this service, for operators who answer its owner.

use service::Retention;
use service::operators::AuditTable;
use service::privacy::Column::{Octets, Plain};
use service::privacy::{AccountData, Column, Held, Kept};

use crate::app::State;

const ACCOUNTS: &[Column] = &[Octets("identity_key"), Plain("last_device_id"), Plain("removed_at")];
const DEVICES: &[Column] = &[
    Plain("device_id"),
    Plain("generation"),
    Plain("state"),
    Plain("changed_at"),
    Plain("registration_id"),
    Plain("name"),
    Plain("session_id"),
    Plain("signed_key_id"),
    Octets("signed_key"),
    Plain("last_resort_served"),
    Plain("created_at"),
];
const LAST_RESORT_KEYS: &[Column] = &[Plain("device_id"), Plain("key_id"), Octets("public_key")];
const ONE_TIME_KEYS: &[Column] = &[Plain("device_id"), Plain("kind"), Plain("key_id"), Octets("public_key")];
const ISSUED_KEYS: &[Column] = &[Octets("key_hash"), Plain("issued_at")];
const SIGNAL_SERVER_DEVICES: &[Column] = &[
    Plain("generation"),
    Plain("state"),
    Plain("registration_id"),
    Plain("address"),
    Plain("identity_key"),
    Plain("signed_key_id"),
    Plain("signed_key"),
    Plain("created_at"),
];
const SIGNAL_SERVER_PREKEYS: &[Column] = &[Plain("key_id"), Plain("public_key")];
const SIGNAL_SERVER_ISSUED_PREKEYS: &[Column] = &[Octets("key_hash"), Plain("issued_at")];

impl AccountData for State {
    fn log(&self) -> Option<AuditTable> {
        Some(AuditTable::ADMIN)
    }

    fn tables(&self) -> Vec<Held> {
        let remembered = Retention::of(self.settings.tombstone_ttl());
        vec![
            Held::goes("accounts", "account_id").shows(ACCOUNTS).only("removed_at IS NULL"),
            Held::stays(
                "accounts",
                "account_id",
                "that it was deleted, so that no late registration finds it",
                Kept::Since("removed_at", remembered),
            )
            .shows(ACCOUNTS)
            .only("removed_at IS NOT NULL"),
            Held::goes("devices", "account_id").shows(DEVICES),
            Held::goes("last_resort_keys", "account_id").shows(LAST_RESORT_KEYS),
            Held::goes("one_time_keys", "account_id").shows(ONE_TIME_KEYS),
            Held::goes("issued_keys", "account_id").shows(ISSUED_KEYS),
            Held::goes("signal_server_devices", "account_id").shows(SIGNAL_SERVER_DEVICES),
            Held::goes("signal_server_prekeys", "account_id").shows(SIGNAL_SERVER_PREKEYS),
            Held::goes("signal_server_issued_prekeys", "account_id").shows(SIGNAL_SERVER_ISSUED_PREKEYS),
            Held::audited(),
            Held::published(),
        ]
    }
}
