//! The service `auth`: accounts, sessions, access tokens.
//!
//! In: registrations, logins, refreshes, confirmations over HTTP; device bindings from keystore; `device.removed` and SMS
//! statuses from the bus. Out:
//! access tokens that every service verifies by itself, `account.deleted` and `session.revoked` on `account-events`.
//!
//! What must hold: a refresh token works once, ever; what has ended is refused by every service within a second;
//! whether a name exists cannot be told from answers or their times; a deleted account leaves its id and nothing else.

mod app;
mod domain;
mod handlers;
mod mailer;
mod metrics;
mod routes;
mod settings;
mod statuses;
mod store;

pub use app::App;
pub use settings::{AuthSettings, Pause, PhoneSettings, Registration};
pub use store::MIGRATIONS;
