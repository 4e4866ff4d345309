//! The service `sync`: what a phone and a server, or two devices, agree on while they are next to each other.
//!
//! In: handshakes and passwords of apps that synchronize (the flow of the SMSWithoutBorders gateway server), encrypted
//! envelopes of devices that link another one. Out: shared keys, websockets that show QR codes and tell how it goes.
//!
//! What must hold: a session's URL is good until the next one is shown, and no longer; a shared key is on disk, sealed,
//! before the app has it; what the websocket is told does not depend on which process the call reached.

mod app;
mod delivery;
mod domain;
mod handlers;
mod metrics;
mod routes;
mod settings;
mod store;
mod users;

pub use app::App;
pub use settings::{Format, PlatformSettings, ProvisioningSettings, Start, SyncSettings, UserApiSettings};
pub use store::MIGRATIONS;
