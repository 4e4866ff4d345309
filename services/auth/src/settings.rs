//! The `[auth]` section.

mod phone;

use std::time::Duration;

use common::crypto::secret::Secret;
use serde::Deserialize;
use service::{MAX_ACCESS_TTL, Retention};
use web::Bucket;

pub use self::phone::{Pause, PhoneSettings};

/// Settings of this service.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthSettings {
    /// Who may make an account.
    pub registration: Registration,
    /// How long an access token is valid. It is also how long a revocation is remembered.
    #[serde(with = "humantime_serde")]
    pub access_ttl: Duration,
    /// How long a session lives without a refresh. For as long a refresh token that was used is remembered: one that comes
    /// again ends its session.
    #[serde(with = "humantime_serde")]
    pub refresh_ttl: Duration,
    /// The Ed25519 seed that signs access tokens: 32 bytes in base64url without padding. Required.
    pub signing_key: Secret<String>,
    /// Public halves (`x` in `/.well-known/jwks.json`) of further keys whose access tokens are valid. To change
    /// `signing_key`: name the public half of the new one here and restart, put it in the place of the old one and name the
    /// old one here, and take that out after `access_ttl`. Nobody is logged out.
    pub previous_keys: Vec<String>,
    /// The key of what is kept in tables: secrets are sealed under it, guessable values are stored as its keyed hashes. 32
    /// bytes in base64url without padding. Required; with another one, enrolments of TOTP are lost.
    pub data_key: Secret<String>,
    /// Wrong passwords of an account that may come at once, and after how long one more may. Logins have a bucket of this
    /// size, and whoever is logged in and shows the password once more has another: strangers do not use it up. An empty
    /// bucket refuses the right password too, so it takes more than a client with an old password to empty it: NIST SP
    /// 800-63B §5.2.2 allows 100 failures in a row, which help whoever guesses little beside the 480 a day that come back.
    /// It applies with `limits.enabled = false` too.
    pub password_attempts: Bucket,
    /// Wrong codes of an account's second factor, likewise.
    pub totp_attempts: Bucket,
    /// Who issues second factors, as authenticators show it.
    pub totp_issuer: String,
    /// How long a login waits for its second factor.
    #[serde(with = "humantime_serde")]
    pub challenge_ttl: Duration,
    /// How long another device can be let in by a link token, and how long it is remembered which one was.
    #[serde(with = "humantime_serde")]
    pub link_token_ttl: Duration,
    /// Where mails go: an `smtp://` (with `?tls=required`) or `smtps://` URL with its credentials, or a folder. Empty: this
    /// server sends none.
    pub mail: Secret<String>,
    /// Whom mails are from.
    pub mail_from: String,
    /// The link in a mail, a URL of your client with `{purpose}` (`verify-email`, `reset-password`) and `{token}` in it.
    /// Empty: the mail has the bare token.
    pub mail_link: String,
    /// Tries of a mail that is not taken; with the default the last is about five hours after the first.
    pub mail_attempts: u16,
    /// How long a mail waits at most, in an installation that sends none any more.
    #[serde(with = "humantime_serde")]
    pub mail_retention: Duration,
    /// How long an address can be confirmed by a mail.
    #[serde(with = "humantime_serde")]
    pub email_token_ttl: Duration,
    /// How long a password can be reset by a mail.
    #[serde(with = "humantime_serde")]
    pub reset_token_ttl: Duration,
    /// `[auth.phone]`: codes by SMS.
    pub phone: PhoneSettings,
    /// Password hashes computed at once; each takes 19 MiB and one core for tens of milliseconds.
    pub hashing_slots: usize,
    /// Logins that may wait for a slot; more are answered 503.
    pub hashing_queue: usize,
    /// How long it is remembered that an account was deleted, when, and by whom; of the account itself its id alone. Above an
    /// hour, the longest life of its access tokens, or `never`.
    pub tombstone_ttl: Retention,
    /// How often what has expired is removed.
    #[serde(with = "humantime_serde")]
    pub sweep_every: Duration,
    /// Rows that are removed in one transaction when they have expired.
    pub sweep_batch: u32,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            registration: Registration::Open,
            access_ttl: Duration::from_secs(15 * 60),
            refresh_ttl: Duration::from_secs(30 * 24 * 3600),
            signing_key: Secret::default(),
            previous_keys: Vec::new(),
            data_key: Secret::default(),
            password_attempts: Bucket { size: 100, refill: Duration::from_secs(3 * 60) },
            totp_attempts: Bucket { size: 5, refill: Duration::from_secs(5 * 60) },
            totp_issuer: "Sealpost".to_owned(),
            challenge_ttl: Duration::from_secs(5 * 60),
            link_token_ttl: Duration::from_secs(10 * 60),
            mail: Secret::default(),
            mail_from: "Sealpost <noreply@localhost>".to_owned(),
            mail_link: String::new(),
            mail_attempts: 10,
            mail_retention: Duration::from_secs(7 * 24 * 3600),
            email_token_ttl: Duration::from_secs(24 * 3600),
            reset_token_ttl: Duration::from_secs(3600),
            phone: PhoneSettings::default(),
            hashing_slots: 1,
            hashing_queue: 256,
            tombstone_ttl: Retention::of(Duration::from_secs(90 * 24 * 3600)),
            sweep_every: Duration::from_secs(60),
            sweep_batch: 500,
        }
    }
}

impl AuthSettings {
    /// The rules of what is kept how long: whether each holds, its place, and what it is.
    pub(crate) fn retention_rules(&self) -> [(bool, &'static str, &'static str); 4] {
        let remembered = self.tombstone_ttl.age().is_none_or(|age| age > MAX_ACCESS_TTL);
        [
            (remembered, "auth.tombstone_ttl", "is above an hour: access tokens of the account live so long"),
            (!self.mail_retention.is_zero(), "auth.mail_retention", "is above 0"),
            (!self.sweep_every.is_zero(), "auth.sweep_every", "is above 0"),
            (self.sweep_batch > 0, "auth.sweep_batch", "is above 0"),
        ]
    }
}

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Anybody.
    Open,
    /// Whoever has an invite of an operator.
    Invite,
    /// Whoever has verified a phone number.
    Sms,
    /// Nobody.
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_account_is_remembered_for_longer_than_its_access_tokens_live() {
        let broken = |tombstone_ttl| {
            let settings = AuthSettings { tombstone_ttl, sweep_batch: 0, ..AuthSettings::default() };
            let broken = settings.retention_rules().into_iter().filter(|(holds, ..)| !holds);
            broken.map(|(_, place, _)| place).collect::<Vec<_>>()
        };

        assert_eq!(broken(Retention::of(MAX_ACCESS_TTL)), ["auth.tombstone_ttl", "auth.sweep_batch"]);
        assert_eq!(broken(Retention::FOREVER), ["auth.sweep_batch"]);
        assert!(AuthSettings::default().retention_rules().iter().all(|(holds, ..)| *holds));
    }
}
