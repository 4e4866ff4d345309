//! The service `keystore`: devices, identity keys, prekeys.
//!
//! In: devices and their keys from owners, requests for prekey bundles from anybody with an account, `account.deleted`
//! from the bus. Out: bundles; mailboxes opened and closed at mailbox, sessions bound at auth; `device.removed` and
//! `keys.low` on `account-events`.
//!
//! What must hold: a one-time key is given to one fetcher, ever; every key that is stored has the right form and, where
//! it carries a signature, one that its identity made; only devices whose mailbox is open are in bundles; what a crash
//! leaves half open or half closed comes to an end by itself.

mod app;
mod domain;
mod handlers;
mod metrics;
mod routes;
mod settings;
mod store;

pub use app::App;
pub use routes::internal as internal_routes;
pub use settings::KeystoreSettings;
pub use store::MIGRATIONS;
pub use store::one_time::withdraw_all as withdraw_one_time_keys;
