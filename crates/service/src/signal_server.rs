//! What the three parts of the interface of signal_server share: `/auth` in auth; `/device`, `/prekeys`, `/signedprekey`
//! and `/prekeybundle` in keystore; `/messages/{registration id}/` in mailbox.
//!
//! In: tokens, bodies and paths as its clients send them. Out: its answers and its errors, which are JSON objects of
//! three forms ([`Refusal`]).
//!
//! - [`scope`] puts the routes of one prefix into one, with everything that surrounds them: slashes, methods that are
//!   left over, headers, CORS.
//! - [`Call`] is what a handler takes: it tells who calls, and gives the body.
//! - [`Fields`] reads a body field by field and collects what is wrong with it.
//!
//! What must hold: below its paths nothing answers in another form, whatever method or body comes; a token of our own
//! interface opens nothing here, and a token of this one nothing there.

mod body;
mod call;
mod fields;
mod refusal;
mod routes;
mod throttles;

use std::time::Duration;

use serde::Deserialize;

pub use call::{Call, Caller};
pub use fields::{Errors, Fields, Text, integer};
pub use refusal::{Code, Refusal, answer, done};
pub use routes::{Access, Route, Slash, scope};
pub use throttles::{Rate, Throttled, Throttles};

/// The section `[compat.signal_server]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignalServerSettings {
    /// Whether the interface is served.
    pub enabled: bool,
    /// Whether keys and signatures are verified; otherwise only their length is looked at, as the original does.
    pub strict_keys: bool,
    /// How long a token is valid, an hour at most.
    #[serde(with = "humantime_serde")]
    pub token_ttl: Duration,
    /// The link in a mail to reset a password, with `{uid}` and `{token}` in it. Empty: the page of this server below
    /// `http.public_url`; without that, the mail has its path, and both to be given to the application.
    pub reset_link: String,
    /// Whether the original's limits apply, those below. They count in each process for itself, beside `[limits]`. Off
    /// by default: they leave a client three logins an hour, while a token lives five minutes.
    pub throttles: bool,
    /// Calls without a token, by address.
    pub anonymous_rate: Rate,
    /// Calls with a token, by account.
    pub account_rate: Rate,
    /// Fetches of prekey bundles, whatever comes of them, by account.
    pub bundle_rate: Rate,
}

impl Default for SignalServerSettings {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self {
            enabled: true,
            strict_keys: true,
            token_ttl: Duration::from_secs(300),
            reset_link: String::new(),
            throttles: false,
            anonymous_rate: Rate { calls: 3, per: Duration::from_secs(3600) },
            account_rate: Rate { calls: 1000, per: day },
            bundle_rate: Rate { calls: 3, per: day },
        }
    }
}
