//! How a tool reaches Kafka.

use std::path::PathBuf;
use std::time::Duration;

use bus::{Bus, BusError, BusKind, BusSettings, Record, SecurityProtocol, SecuritySettings};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use common::crypto::Secret;

use crate::console::{self, Outcome};

/// A person waits; a service would be more patient.
const PATIENCE: Duration = Duration::from_secs(15);

/// Kafka's address, and how to be let in.
#[derive(Args)]
#[command(next_help_heading = "Kafka")]
pub(super) struct Kafka {
    /// Brokers, comma-separated
    #[arg(long, short, value_name = "HOST:PORT")]
    brokers: Option<String>,
    /// How to connect
    #[arg(long, requires = "brokers", default_value = "plaintext", value_parser = protocol())]
    security_protocol: SecurityProtocol,
    /// PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
    #[arg(long, value_name = "NAME", requires_all = ["brokers", "sasl_username"])]
    sasl_mechanism: Option<String>,
    /// SASL user
    #[arg(long, value_name = "NAME", requires = "sasl_password_file")]
    sasl_username: Option<String>,
    /// File with the SASL password
    #[arg(long, value_name = "FILE", requires = "sasl_mechanism")]
    sasl_password_file: Option<PathBuf>,
    /// PEM file with the authorities to trust instead of the system's
    #[arg(long, value_name = "FILE", requires = "brokers")]
    ca_file: Option<PathBuf>,
    /// PEM file with the certificate to show to the broker
    #[arg(long, value_name = "FILE", requires_all = ["brokers", "key_file"])]
    certificate_file: Option<PathBuf>,
    /// PEM file with its key
    #[arg(long, value_name = "FILE", requires = "certificate_file")]
    key_file: Option<PathBuf>,
}

fn protocol() -> impl clap::builder::TypedValueParser<Value = SecurityProtocol> {
    PossibleValuesParser::new(["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]).map(|name| {
        match name.as_str() {
            "ssl" => SecurityProtocol::Ssl,
            "sasl_plaintext" => SecurityProtocol::SaslPlaintext,
            "sasl_ssl" => SecurityProtocol::SaslSsl,
            _ => SecurityProtocol::Plaintext,
        }
    })
}

impl Kafka {
    /// Gives the settings; none without brokers.
    pub(super) fn settings(&self) -> Outcome<Option<BusSettings>> {
        let Some(brokers) = self.brokers.clone() else { return Ok(None) };
        let password = self.sasl_password_file.as_deref().map(console::read_line).transpose()?;
        let security = SecuritySettings {
            protocol: self.security_protocol,
            sasl_mechanism: self.sasl_mechanism.clone(),
            username: self.sasl_username.clone(),
            password: password.map(|password| Secret::new(password.to_string())),
            ca_file: self.ca_file.clone(),
            certificate_file: self.certificate_file.clone(),
            key_file: self.key_file.clone(),
        };
        Ok(Some(BusSettings {
            kind: BusKind::Kafka,
            brokers,
            security,
            delivery_timeout: PATIENCE,
            ..BusSettings::default()
        }))
    }
}

/// Produces records to Kafka.
pub(super) struct Topic {
    bus: Bus,
    name: String,
}

impl Topic {
    /// Connects; a broker that does not answer is noticed here and not after the first record.
    pub(super) async fn open(settings: &BusSettings, name: &str) -> Outcome<Self> {
        let bus = Bus::open(settings, None)?;
        bus.ping().await.map_err(|error| unreachable(settings, &error))?;
        Ok(Self { bus, name: name.to_owned() })
    }

    /// Returns once all the keyed values are durable.
    pub(super) async fn produce(&self, values: Vec<(String, Vec<u8>)>) -> Outcome {
        let records = values.into_iter().map(|(key, value)| Record::new(self.name.as_str(), key, value));
        Ok(self.bus.producer().send(records.collect()).await?)
    }
}

/// Names the brokers that were asked.
pub(super) fn unreachable(settings: &BusSettings, error: &BusError) -> String {
    match error {
        BusError::Settings(reason) => reason.clone(),
        _ => format!("Kafka at {}: {error}", settings.brokers),
    }
}
