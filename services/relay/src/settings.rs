//! The `[relay]` section.

mod publisher;

use std::collections::BTreeMap;
use std::time::Duration;

use bus::AmqpTlsSettings;
use common::crypto::{DataKey, Secret};
use config::{ConfigError, Fault};
use serde::Deserialize;
use service::LiveSection;
use web::Cidr;

pub use crate::domain::platforms::{Platform, Platforms};
pub use publisher::Publisher;

/// Settings of this service.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelaySettings {
    /// The secret under which SMS lie in the table until the publisher has them: 32 bytes in base64url. No default. With
    /// another one, those that wait can no longer be read.
    pub data_key: Secret<String>,
    /// The RabbitMQ of modems and publisher: `amqp://…` or `amqps://…`, with user, password and virtual host. Empty: that of
    /// `live.url`; with neither, there are no queues.
    pub amqp_url: Secret<String>,
    /// `[relay.amqp_tls]`: the certificates of `amqps://`. With an empty `amqp_url` they are those of `[live.tls]`.
    pub amqp_tls: AmqpTlsSettings,
    /// Who gets SMS: `amqp`, or the `http://…` address to which they are posted. Empty: `amqp` with a RabbitMQ, else nobody:
    /// they wait.
    pub publisher: Publisher,
    /// The key under which messages to the publisher's queue are encrypted. Empty: they are JSON.
    pub publisher_key: Secret<String>,
    /// The topic exchange of the publisher.
    pub publisher_exchange: String,
    /// The queue of the publisher; `-dead` behind its name makes that of its dead letters.
    pub publisher_queue: String,
    /// The routing key between the two.
    pub publisher_routing_key: String,
    /// How often a queue hands a message out before it goes to the dead letters.
    pub delivery_limit: u32,
    /// How long RabbitMQ may take to connect, and to confirm a message.
    #[serde(with = "humantime_serde")]
    pub confirm_timeout: Duration,
    /// How long a publisher may take for one SMS.
    #[serde(with = "humantime_serde")]
    pub publish_timeout: Duration,
    /// SMS that are read for the publisher at once.
    pub publish_batch: u32,
    /// SMS that are on their way to the publisher at the same time.
    pub publish_parallel: u32,
    /// The pause after an SMS was refused, or nobody was there; it doubles each time.
    #[serde(with = "humantime_serde")]
    pub publish_first_pause: Duration,
    /// The longest such pause.
    #[serde(with = "humantime_serde")]
    pub publish_longest_pause: Duration,
    /// An SMS that the publisher has not taken by this age is kept, and not tried again.
    #[serde(with = "humantime_serde")]
    pub publish_max_age: Duration,
    /// For how long the same text of the same sender is taken for a repetition.
    #[serde(with = "humantime_serde")]
    pub dedupe_window: Duration,
    /// The platforms by their letters, each with a name and the least number of its fields.
    pub platforms: Platforms,
    /// The token of the Twilio account whose webhooks come here. Empty: none do.
    pub twilio_auth_token: Secret<String>,
    /// Whether lists show IMSIs to everybody; otherwise everybody sees a pseudonym, and gateway clients the IMSI.
    pub public_imsi: bool,
    /// How long after its last ping a modem is listed.
    #[serde(with = "humantime_serde")]
    pub seed_ttl: Duration,
    /// How long after its last ping it is remembered whose modem it is.
    #[serde(with = "humantime_serde")]
    pub seed_retention: Duration,
    /// Modems that are listed at most.
    pub max_seeds: u32,
    /// Modems of one client at most.
    pub client_seeds: u32,
    /// Gateway clients at most.
    pub max_clients: u32,
    /// How long the secret before a rotation is still taken.
    #[serde(with = "humantime_serde")]
    pub rotation_grace: Duration,
    /// How long a gateway client that was revoked is remembered in an installation without RabbitMQ. With one it is forgotten
    /// as soon as its queues are taken down.
    #[serde(with = "humantime_serde")]
    pub revoked_retention: Duration,
    /// SMS of one `POST /sms` at most.
    pub max_outgoing: usize,
    /// Longest text of an SMS for a modem, in characters: ten parts of 153 unless set.
    pub max_outgoing_chars: usize,
    /// Longest text of an SMS that comes in, in bytes.
    pub max_text_bytes: usize,
    /// SMS that may wait for the publisher, as counted with each sweep; with so many, more are answered 503.
    pub max_waiting: u32,
    /// How long an SMS that was given up is kept for an operator, who may have it tried again.
    #[serde(with = "humantime_serde")]
    pub dead_retention: Duration,
    /// Users of RabbitMQ beside relay's own who may do everything in its virtual host, with their passwords: the publisher.
    pub rabbitmq_users: BTreeMap<String, Secret<String>>,
    /// From where RabbitMQ may ask on the public listener, as addresses or CIDR blocks. Empty: on the internal one alone.
    pub rabbitmq_public_from: Vec<Cidr>,
    /// SMS that are stored in one transaction at most.
    pub batch: usize,
    /// SMS that may wait for their transaction; more are answered 503.
    pub queue: usize,
    /// How often what has expired is removed.
    #[serde(with = "humantime_serde")]
    pub sweep_every: Duration,
    /// Rows that are removed in one transaction when they have expired.
    pub sweep_batch: u32,
}

impl Default for RelaySettings {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            data_key: Secret::default(),
            amqp_url: Secret::default(),
            amqp_tls: AmqpTlsSettings::default(),
            publisher: Publisher::default(),
            publisher_key: Secret::default(),
            publisher_exchange: "default-smswithoutborders-exchange".to_owned(),
            publisher_queue: "default-smswithoutborders-queue".to_owned(),
            publisher_routing_key: "default-smswithoutborders-routing-key".to_owned(),
            delivery_limit: 5,
            confirm_timeout: Duration::from_secs(10),
            publish_timeout: Duration::from_secs(15),
            publish_batch: 256,
            publish_parallel: 32,
            publish_first_pause: Duration::from_secs(1),
            publish_longest_pause: Duration::from_secs(300),
            publish_max_age: 7 * DAY,
            dedupe_window: DAY,
            platforms: Platforms::default(),
            twilio_auth_token: Secret::default(),
            public_imsi: true,
            seed_ttl: Duration::from_secs(20),
            seed_retention: 30 * DAY,
            max_seeds: 1000,
            client_seeds: 256,
            max_clients: 10_000,
            rotation_grace: Duration::ZERO,
            revoked_retention: 30 * DAY,
            max_outgoing: 100,
            max_outgoing_chars: 1530,
            max_text_bytes: 16 * 1024,
            max_waiting: 1_000_000,
            dead_retention: 90 * DAY,
            rabbitmq_users: BTreeMap::new(),
            rabbitmq_public_from: Vec::new(),
            batch: 256,
            queue: 4096,
            sweep_every: Duration::from_secs(60),
            sweep_batch: 500,
        }
    }
}

impl RelaySettings {
    /// Fills in what follows from the RabbitMQ of the live fan-out.
    pub(crate) fn with_broker(mut self, live: &LiveSection) -> Self {
        if self.amqp_url.is_empty() {
            self.amqp_url = live.url.clone();
            self.amqp_tls = live.tls.clone();
        }
        if self.publisher == Publisher::Unset && !self.amqp_url.is_empty() {
            self.publisher = Publisher::Amqp;
        }
        self
    }

    /// Whether the publisher reads a queue.
    pub(crate) fn publishes_by_amqp(&self) -> bool {
        self.publisher == Publisher::Amqp
    }

    /// The key that seals rows.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] when it is none.
    pub(crate) fn seal(&self) -> Result<DataKey, ConfigError> {
        DataKey::from_text(self.data_key.expose()).map_err(|error| {
            ConfigError::invalid("relay.data_key", format!("has no default, and is {error}"))
        })
    }

    /// The rules that a type cannot express.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with all faults.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let mut faults = Vec::new();
        let mut check = |holds: bool, place: &str, rule: &str| {
            if !holds {
                faults.push(Fault::new(format!("relay.{place}"), rule));
            }
        };
        check(
            DataKey::from_text(self.data_key.expose()).is_ok(),
            "data_key",
            "has no default: 32 bytes in base64url",
        );
        check(
            !self.publishes_by_amqp() || !self.amqp_url.is_empty(),
            "publisher",
            "is amqp, which needs relay.amqp_url or live.url",
        );
        check(!self.platforms.0.is_empty(), "platforms", "names one platform at least");
        check(
            self.rabbitmq_users.values().all(|password| password.expose().len() >= MIN_PASSWORD),
            "rabbitmq_users",
            "a password has at least 16 characters",
        );
        let counts = [
            (u64::from(self.delivery_limit), "delivery_limit"),
            (u64::from(self.publish_batch), "publish_batch"),
            (u64::from(self.publish_parallel), "publish_parallel"),
            (u64::from(self.max_seeds), "max_seeds"),
            (u64::from(self.client_seeds), "client_seeds"),
            (u64::from(self.max_clients), "max_clients"),
            (self.max_outgoing as u64, "max_outgoing"),
            (self.max_outgoing_chars as u64, "max_outgoing_chars"),
            (self.max_text_bytes as u64, "max_text_bytes"),
            (u64::from(self.max_waiting), "max_waiting"),
            (self.batch as u64, "batch"),
            (self.queue as u64, "queue"),
            (u64::from(self.sweep_batch), "sweep_batch"),
        ];
        for (count, place) in counts {
            check((1..=u64::from(u32::MAX)).contains(&count), place, "is within 1..=4294967295");
        }
        let times = [
            (self.confirm_timeout, "confirm_timeout"),
            (self.publish_timeout, "publish_timeout"),
            (self.publish_first_pause, "publish_first_pause"),
            (self.publish_longest_pause, "publish_longest_pause"),
            (self.publish_max_age, "publish_max_age"),
            (self.dedupe_window, "dedupe_window"),
            (self.dead_retention, "dead_retention"),
            (self.revoked_retention, "revoked_retention"),
            (self.seed_ttl, "seed_ttl"),
            (self.seed_retention, "seed_retention"),
            (self.sweep_every, "sweep_every"),
        ];
        for (time, place) in times {
            check(!time.is_zero(), place, "is above 0");
        }
        if faults.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(faults)) }
    }
}

/// A password that is shorter can be guessed.
const MIN_PASSWORD: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_told_together() {
        let settings = RelaySettings {
            publisher: Publisher::Amqp,
            seed_ttl: Duration::ZERO,
            max_seeds: 0,
            rabbitmq_users: [("publisher".to_owned(), Secret::from("short"))].into(),
            ..RelaySettings::default()
        };

        let error = settings.validate().unwrap_err();

        let places: Vec<&str> = error.faults().iter().map(|fault| fault.place.as_str()).collect();
        let expected = [
            "relay.data_key",
            "relay.publisher",
            "relay.rabbitmq_users",
            "relay.max_seeds",
            "relay.seed_ttl",
        ];
        assert_eq!(places, expected);
    }

    #[test]
    fn the_broker_of_the_live_fan_out_is_taken_unless_there_is_another() {
        let live = LiveSection { url: "amqp://live".into(), ..LiveSection::default() };
        let own = RelaySettings { amqp_url: "amqp://own".into(), ..RelaySettings::default() };
        let http = RelaySettings {
            publisher: Publisher::try_from("http://publisher/publish".to_owned()).unwrap(),
            ..RelaySettings::default()
        };

        assert_eq!(own.with_broker(&live).amqp_url.expose(), "amqp://own");
        assert_eq!(RelaySettings::default().with_broker(&live).amqp_url.expose(), "amqp://live");
        assert_eq!(RelaySettings::default().with_broker(&live).publisher, Publisher::Amqp);
        assert_eq!(RelaySettings::default().with_broker(&LiveSection::default()).publisher, Publisher::Unset);
        assert!(matches!(http.with_broker(&live).publisher, Publisher::Http(_)));
    }
}
