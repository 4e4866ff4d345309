//! The `[bus]` section of the settings.

use std::{path::PathBuf, time::Duration};

use common::crypto::Secret;
use serde::Deserialize;

/// Which bus carries the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BusKind {
    /// A durable log in the data directory of this process; no broker.
    #[default]
    Embedded,
    /// Apache Kafka, or a broker that speaks its protocol.
    Kafka,
}

/// Settings of the bus, whichever kind it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BusSettings {
    /// Embedded log or Kafka.
    pub kind: BusKind,
    /// Kafka: bootstrap servers, `host:port`, comma-separated.
    pub brokers: String,
    /// Kafka: the name by which brokers know us, in their logs, metrics and quotas.
    pub client_id: String,
    /// Kafka: how to reach them.
    pub security: SecuritySettings,
    /// Put before each consumer group's name, so that two installations can share one cluster.
    pub group_prefix: String,
    /// A group member that is silent for this long loses its partitions. A revoked partition is given away
    /// after four fifths of it at the latest, drained or not.
    #[serde(with = "humantime_serde")]
    pub session_timeout: Duration,
    /// A record that is not confirmed within this time is reported as [`crate::BusError::Timeout`].
    #[serde(with = "humantime_serde")]
    pub delivery_timeout: Duration,
    /// Largest record in bytes: key, value and headers together.
    pub max_record_bytes: usize,
    /// How long a service keeps, in its own database, the records that it has published. After a restore those are
    /// published again: keep them for as long as a backup is older than the bus.
    #[serde(with = "humantime_serde")]
    pub outbox_retention: Duration,
    /// Embedded: partitions of a topic that is made on first use. Existing topics keep theirs.
    pub partitions: u32,
    /// Embedded: how long and how much is kept. Kafka has settings of its own for this.
    pub retention: RetentionSettings,
}

impl Default for BusSettings {
    fn default() -> Self {
        Self {
            kind: BusKind::Embedded,
            brokers: String::new(),
            client_id: "sealpost".into(),
            security: SecuritySettings::default(),
            group_prefix: String::new(),
            session_timeout: Duration::from_secs(10),
            delivery_timeout: Duration::from_secs(30),
            max_record_bytes: 1024 * 1024,
            outbox_retention: Duration::from_secs(24 * 3600),
            partitions: 4,
            retention: RetentionSettings::default(),
        }
    }
}

impl BusSettings {
    /// How long a revoked partition may be drained before it is given away regardless: shorter than the
    /// session timeout, so that a slow drain costs this partition and not the whole membership.
    pub fn drain_deadline(&self) -> Duration {
        self.session_timeout * 4 / 5
    }
}

/// What the embedded log keeps. As in Kafka, retention does not ask consumers: a record past its time or beyond
/// the size goes, read or not, and a group that was behind continues at the oldest record that is left.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionSettings {
    /// Records older than this are removed.
    #[serde(with = "humantime_serde")]
    pub max_age: Duration,
    /// The oldest records of a partition are removed while it holds more bytes than this.
    pub max_partition_bytes: u64,
    /// How often the log looks for records to remove.
    #[serde(with = "humantime_serde")]
    pub check_interval: Duration,
}

impl Default for RetentionSettings {
    fn default() -> Self {
        Self {
            max_age: Duration::from_secs(7 * 24 * 3600),
            max_partition_bytes: 1024 * 1024 * 1024,
            check_interval: Duration::from_secs(60),
        }
    }
}

/// `[bus.security]`: how a Kafka client identifies itself and its broker. The default is neither.
///
/// With `ssl` and `sasl_ssl` the broker's certificate must be signed by a trusted authority and have the name or
/// address by which `[bus] brokers`, and then the broker's advertised listener, call it; there is no setting that
/// turns this off.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecuritySettings {
    /// `plaintext` (the default), `ssl`, `sasl_plaintext` or `sasl_ssl`: what the broker's listener speaks.
    pub protocol: SecurityProtocol,
    /// With SASL: `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`. `PLAIN` shows the password to the broker, and without
    /// TLS to everyone on the way.
    pub sasl_mechanism: Option<String>,
    /// With SASL: the user.
    pub username: Option<String>,
    /// With SASL: the user's password. In no log and no error.
    pub password: Option<Secret<String>>,
    /// With TLS: PEM file with the authorities to trust. None: the system's.
    pub ca_file: Option<PathBuf>,
    /// With TLS: PEM file with the certificate of this side and its chain, where the broker wants one.
    pub certificate_file: Option<PathBuf>,
    /// With TLS: PEM file with the key of that certificate.
    pub key_file: Option<PathBuf>,
}

/// How a RabbitMQ at an `amqps://` address is known, and how this side identifies itself beside its password.
///
/// The broker's certificate must be signed by a trusted authority and have the name or address that the URL calls it;
/// there is no setting that turns this off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AmqpTlsSettings {
    /// PEM file with authorities to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM file with the certificate of this side and its chain, where the broker wants one.
    pub certificate_file: Option<PathBuf>,
    /// PEM file with the key of that certificate.
    pub key_file: Option<PathBuf>,
}

/// Kafka's `security.protocol`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecurityProtocol {
    /// No encryption, no authentication.
    #[default]
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL without encryption.
    SaslPlaintext,
    /// SASL over TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// The name Kafka clients use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_show_no_password() {
        let section = serde_json::json!({
            "kind": "kafka",
            "brokers": "kafka:9093",
            "session_timeout": "6s",
            "security": {"protocol": "sasl_ssl", "sasl_mechanism": "SCRAM-SHA-512", "password": "hunter2"},
        });

        let settings: BusSettings = serde_json::from_value(section).expect("valid settings");

        assert!(!format!("{settings:?}").contains("hunter2"));
        assert_eq!(settings.security.protocol, SecurityProtocol::SaslSsl);
        assert!(settings.drain_deadline() < settings.session_timeout);
    }

    #[test]
    fn unknown_setting_is_named() {
        let refused = serde_json::from_value::<BusSettings>(serde_json::json!({"broker": "kafka:9092"}));

        assert!(refused.expect_err("unknown").to_string().contains("`broker`"));
    }
}
