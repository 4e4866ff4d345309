//! The `[notify]` section.

mod keys;
mod push;
mod webhooks;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::crypto::Secret;
use config::{ConfigError, Fault};
use ring::hmac;
use serde::Deserialize;
use webhook::DeliverySettings;

pub(crate) use keys::covers;
pub use keys::{ApiKey, ApiKeys, Scope};
pub use push::PushSettings;
pub use webhooks::WebhookSettings;

/// A key under which tokens are derived can be guessed when it is shorter.
const MIN_SECRET: usize = 16;

/// So can one of the interface, but there guesses are counted.
const MIN_KEY: usize = 8;

/// What the derived key under which tokens are derived is for.
const TOKENS: &[u8] = b"sealpost notify: tokens of channels";

/// The largest notification that `max_data_bytes` may allow: what a request body has room for.
const DATA_CEILING: usize = 1024 * 1024;

/// The longest name that `max_channel_bytes` may allow: an index of PostgreSQL takes no longer one.
const CHANNEL_CEILING: usize = 1024;

/// How long it takes at most to close a connection that is given up: its peer is told, and has two seconds to answer.
const CLOSING: Duration = Duration::from_secs(5);

/// Settings of this service.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotifySettings {
    /// The keys of back-ends, by name: `name = "key"`, or `name = { key, channels = ["orders/"] }` for one that may use
    /// only channels that begin so. Several may be valid at once, so that one can follow another. No default.
    pub auth_keys: ApiKeys,
    /// The secret from which the tokens of ChannelAPI are derived; a new one makes those void. Empty: it is itself derived
    /// from `internal.token`.
    pub token_key: Secret<String>,
    /// How long a token of ChannelAPI is valid after it was made, and after each join.
    #[serde(with = "humantime_serde")]
    pub token_ttl: Duration,
    /// Longest life of a token for one device that can be asked for.
    #[serde(with = "humantime_serde")]
    pub device_token_ttl: Duration,
    /// Tokens of one channel at most.
    pub max_tokens: u32,
    /// How long a notification is kept for clients that come back.
    #[serde(with = "humantime_serde")]
    pub history_ttl: Duration,
    /// How many notifications of a channel are kept for clients that come back.
    pub history_size: u32,
    /// How long a channel is remembered that has no history, no tokens and nobody in it.
    #[serde(with = "humantime_serde")]
    pub channel_ttl: Duration,
    /// How long the answer to an `Idempotency-Key` is kept.
    #[serde(with = "humantime_serde")]
    pub idempotency_ttl: Duration,
    /// Longest name of a channel, in bytes. 1024 at most.
    pub max_channel_bytes: usize,
    /// Largest notification in bytes of JSON; a larger one is refused with 413. 1 MiB at most.
    pub max_data_bytes: usize,
    /// Notifications of one batch, and channels of one broadcast, at most.
    pub batch_messages: usize,
    /// Publications in one transaction at most.
    pub batch: usize,
    /// Publications that may wait for their transaction; more are answered 503.
    pub queue: usize,
    /// Joins and new tokens in one transaction at most.
    pub token_batch: usize,
    /// Joins and new tokens that may wait for their transaction; more are refused.
    pub token_queue: usize,
    /// Channels that one client may be in.
    pub max_subscriptions: usize,
    /// How long a client may be connected without being in any channel.
    #[serde(with = "humantime_serde")]
    pub join_timeout: Duration,
    /// How often it is looked whether tokens of connected clients have expired.
    #[serde(with = "humantime_serde")]
    pub session_check: Duration,
    /// Notifications that may wait for one client; over it, it is disconnected as too slow, and can resume.
    pub client_messages: usize,
    /// Bytes of notifications that may wait for one client.
    pub client_bytes: usize,
    /// Notifications that are read from the history at once.
    pub page: usize,
    /// Bytes of notifications that are read from the history at once; one always fits.
    pub page_bytes: usize,
    /// Notifications that are kept in memory of each channel with several clients, for those that come back together; no
    /// more than `page_bytes` of them.
    pub recent: usize,
    /// How long an earlier notification is waited for that others have overtaken, before it is read from the history.
    #[serde(with = "humantime_serde")]
    pub gap_patience: Duration,
    /// Notifications up to this many bytes travel between processes as they are; larger ones are read from the history.
    pub live_bytes: usize,
    /// How often all channels in use are compared with their tables without being told of anything.
    #[serde(with = "humantime_serde")]
    pub recheck: Duration,
    /// The same, while the broker that carries notifications between processes is away.
    #[serde(with = "humantime_serde")]
    pub recheck_away: Duration,
    /// How long the presence of clients is believed without hearing from their process.
    #[serde(with = "humantime_serde")]
    pub presence_lease: Duration,
    /// How long comings and goings gather before they are written down.
    #[serde(with = "humantime_serde")]
    pub presence_gather: Duration,
    /// How many members of a channel are told by name to clients that ask who is present; of more, their number alone. 0:
    /// never by name.
    pub presence_members: u32,
    /// Push to devices that are not connected.
    pub push: PushSettings,
    /// Receivers that are told who connects and who is present.
    pub webhooks: Vec<WebhookSettings>,
    /// How they are told.
    pub webhook_delivery: DeliverySettings,
    /// Events that may wait for one receiver; more are dropped, and it is told how many.
    pub webhook_backlog: u32,
    /// Socket.IO: pings, limits and queues of sessions. The origins are those of `http.cors_origins`.
    pub socketio: socketio::Settings,
    /// Serves the applications that the public test suites of Engine.IO and Socket.IO talk to, in place of ChannelAPI.
    pub conformance: bool,
    /// Serves a page at `/v1/notify/page` where channels can be tried out. It holds no secret: whoever uses it needs a token
    /// or an API key.
    pub trial_page: bool,
    /// Silence after which a websocket is pinged.
    #[serde(with = "humantime_serde")]
    pub ping: Duration,
    /// Silence after which a websocket is given up.
    #[serde(with = "humantime_serde")]
    pub idle: Duration,
    /// How often an event stream says that it is alive.
    #[serde(with = "humantime_serde")]
    pub stream_keep_alive: Duration,
    /// How often what has expired is removed.
    #[serde(with = "humantime_serde")]
    pub sweep_every: Duration,
    /// Rows that are removed in one transaction when they have expired.
    pub sweep_batch: u32,
}

impl Default for NotifySettings {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            auth_keys: ApiKeys::default(),
            token_key: Secret::default(),
            token_ttl: 7 * DAY,
            device_token_ttl: 366 * DAY,
            max_tokens: 10_000,
            history_ttl: 3 * DAY,
            history_size: 1000,
            channel_ttl: 90 * DAY,
            idempotency_ttl: DAY,
            max_channel_bytes: 255,
            max_data_bytes: 64 * 1024,
            batch_messages: 1000,
            batch: 256,
            queue: 8192,
            token_batch: 256,
            token_queue: 65_536,
            max_subscriptions: 128,
            join_timeout: Duration::from_secs(60),
            session_check: Duration::from_secs(1),
            client_messages: 1024,
            client_bytes: 1024 * 1024,
            page: 256,
            page_bytes: 512 * 1024,
            recent: 256,
            gap_patience: Duration::from_millis(10),
            live_bytes: 32 * 1024,
            recheck: Duration::from_secs(300),
            recheck_away: Duration::from_secs(2),
            presence_lease: Duration::from_secs(30),
            presence_gather: Duration::from_millis(200),
            presence_members: 256,
            push: PushSettings::default(),
            webhooks: Vec::new(),
            webhook_delivery: DeliverySettings::default(),
            webhook_backlog: 100_000,
            socketio: socketio::Settings::default(),
            conformance: false,
            trial_page: true,
            ping: Duration::from_secs(30),
            idle: Duration::from_secs(90),
            stream_keep_alive: Duration::from_secs(25),
            sweep_every: Duration::from_secs(60),
            sweep_batch: 500,
        }
    }
}

impl NotifySettings {
    /// Fills in the key under which tokens are derived, from the secret that all processes of the installation share.
    pub(crate) fn with_token_key(mut self, installation: Option<&Secret<String>>) -> Self {
        if let Some(secret) = installation.filter(|_| self.token_key.expose().is_empty()) {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
            self.token_key = Secret::from(URL_SAFE_NO_PAD.encode(hmac::sign(&key, TOKENS)));
        }
        self
    }

    /// How long a connection may be dead, at either door with a heartbeat, and still count as one: what it may be silent,
    /// and what it takes to close it and to write that down.
    pub(crate) fn longest_silence(&self) -> Duration {
        let silence = self.idle.max(self.socketio.ping_interval + self.socketio.ping_timeout);
        silence + CLOSING + self.presence_gather
    }

    /// The rules that a type cannot express.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with all faults.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let mut faults = Vec::new();
        let mut check = |holds: bool, place: &str, rule: &str| {
            if !holds {
                faults.push(Fault::new(format!("notify.{place}"), rule));
            }
        };
        check(!self.auth_keys.is_empty(), "auth_keys", "has no default: give at least one key a name");
        check(self.auth_keys.all_longer(MIN_KEY), "auth_keys", "a key has at least 8 characters");
        let length = self.token_key.expose().len();
        check(length == 0 || length >= MIN_SECRET, "token_key", "is a secret of at least 16 characters");
        check(
            (1..=CHANNEL_CEILING).contains(&self.max_channel_bytes),
            "max_channel_bytes",
            "is within 1..=1024",
        );
        check((1..=DATA_CEILING).contains(&self.max_data_bytes), "max_data_bytes", "is within 1..=1048576");
        check(
            self.client_bytes > self.max_data_bytes,
            "client_bytes",
            "is above max_data_bytes, so that one notification fits",
        );
        check(self.idle > self.ping && !self.ping.is_zero(), "idle", "is longer than ping, which is above 0");
        let counts = [
            (u64::from(self.max_tokens), "max_tokens"),
            (u64::from(self.history_size), "history_size"),
            (self.batch_messages as u64, "batch_messages"),
            (self.batch as u64, "batch"),
            (self.queue as u64, "queue"),
            (self.token_batch as u64, "token_batch"),
            (self.token_queue as u64, "token_queue"),
            (self.max_subscriptions as u64, "max_subscriptions"),
            (self.client_messages as u64, "client_messages"),
            (self.page as u64, "page"),
            (self.page_bytes as u64, "page_bytes"),
            (u64::from(self.sweep_batch), "sweep_batch"),
            (u64::from(self.webhook_backlog), "webhook_backlog"),
        ];
        for (count, place) in counts {
            check((1..=u64::from(u32::MAX)).contains(&count), place, "is within 1..=4294967295");
        }
        let times = [
            (self.token_ttl, "token_ttl"),
            (self.device_token_ttl, "device_token_ttl"),
            (self.history_ttl, "history_ttl"),
            (self.channel_ttl, "channel_ttl"),
            (self.idempotency_ttl, "idempotency_ttl"),
            (self.join_timeout, "join_timeout"),
            (self.session_check, "session_check"),
            (self.recheck, "recheck"),
            (self.recheck_away, "recheck_away"),
            (self.presence_lease, "presence_lease"),
            (self.presence_gather, "presence_gather"),
            (self.stream_keep_alive, "stream_keep_alive"),
            (self.sweep_every, "sweep_every"),
        ];
        for (time, place) in times {
            check(!time.is_zero(), place, "is above 0");
        }
        for (holds, place, rule) in self.push.rules() {
            check(holds, place, rule);
        }
        for (holds, place, rule) in self.webhook_delivery.rules() {
            check(holds, &format!("webhook_delivery.{place}"), rule);
        }
        for fault in webhooks::faults(&self.webhooks, self.webhook_delivery.allow_http) {
            check(false, "webhooks", &fault);
        }
        if faults.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(faults)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_told_together() {
        let settings = NotifySettings { page: 0, history_ttl: Duration::ZERO, ..NotifySettings::default() };

        let error = settings.validate().unwrap_err();

        let places: Vec<&str> = error.faults().iter().map(|fault| fault.place.as_str()).collect();
        assert_eq!(places, ["notify.auth_keys", "notify.page", "notify.history_ttl"]);
    }

    #[test]
    fn the_key_of_tokens_follows_the_installation_unless_it_is_given() {
        let secret = |text: &str| Secret::from(text);
        let key = |settings: NotifySettings, installation: &str| {
            settings.with_token_key(Some(&secret(installation))).token_key.expose().clone()
        };
        let given = NotifySettings { token_key: secret("sixteen letters."), ..NotifySettings::default() };

        assert_eq!(key(given, "one"), "sixteen letters.");
        assert_eq!(key(NotifySettings::default(), "one"), key(NotifySettings::default(), "one"));
        assert_ne!(key(NotifySettings::default(), "one"), key(NotifySettings::default(), "two"));
        assert_eq!(key(NotifySettings::default(), "one").len(), 43);
    }
}
