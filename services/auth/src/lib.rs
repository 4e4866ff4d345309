//! The service `auth`: accounts, what identifies them (names, e-mail addresses, phone numbers), sessions, access tokens.
//!
//! In: registrations, logins, refreshes, confirmations over HTTP; invites, searches and blocks of operators; device bindings from keystore;
//! `device.removed` and SMS statuses from the bus. Out: access tokens that every service verifies by itself,
//! `account.deleted` and `session.revoked` on `account-events`, mails, and SMS as jobs of the gateway.
//!
//! What must hold: a refresh token, a code and an invite work once, ever; what has ended is refused by every service
//! within a second; a login or a reset tells by neither answer nor time whether a name or an address exists; a deleted
//! account leaves its id and nothing else.

mod app;
mod bound;
mod domain;
mod handlers;
mod mailer;
mod metrics;
mod routes;
mod settings;
mod statuses;
mod store;

pub use app::App;
pub use routes::internal as internal_routes;
pub use settings::{AuthSettings, Pause, PhoneSettings, Registration};
pub use store::MIGRATIONS;
