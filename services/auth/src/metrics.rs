//! The series of this service.

use telemetry::prometheus::{IntCounter, IntCounterVec};

telemetry::metrics! {
    /// What auth reports.
    pub(crate) struct Metrics("sealpost_auth_") {
        /// Accounts made.
        registrations_total: IntCounter,
        /// Logins by outcome: ok, challenged (the second factor is waited for), refused.
        logins_total: IntCounterVec = &["outcome"],
        /// Sessions opened by link tokens; the same one again after a lost answer counts again.
        links_total: IntCounter,
        /// Mails by outcome: sent, retried (later), given-up, dropped (nobody has the address).
        mails_total: IntCounterVec = &["outcome"],
        /// Codes by SMS, by what became of them: queued, sent, delivered, failed; wrong, verified; capped (not
        /// sent: all numbers together have had theirs).
        phone_codes_total: IntCounterVec = &["outcome"],
        /// Guesses at passwords and codes that were not looked at, since too many wrong ones came before.
        attempts_refused_total: IntCounter,
        /// Credentials of Woosh by outcome: remembered (no hash was computed), verified, refused.
        woosh_credentials_total: IntCounterVec = &["outcome"],
        /// Refresh tokens that came a second time; each ended its session.
        refresh_reuses_total: IntCounter,
    }
}
