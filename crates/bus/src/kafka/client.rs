//! What every client shares: settings, logs, and the meaning of errors.

use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
};

use super::refusal::Refusal;
use crate::{BusError, BusSettings, SecurityProtocol, SecuritySettings};

/// What `sasl_mechanism` may be.
const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// Makes the part of librdkafka's configuration that producers and consumers share.
///
/// # Errors
/// [`BusError::Settings`] without brokers, or with a section `[bus.security]` that contradicts itself.
pub(super) fn config(settings: &BusSettings) -> Result<ClientConfig, BusError> {
    if settings.brokers.trim().is_empty() {
        return Err(BusError::Settings("[bus] brokers is empty; Kafka needs host:port".into()));
    }
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &settings.brokers)
        .set("client.id", &settings.client_id)
        .set("socket.keepalive.enable", "true")
        // The default grows to 10 s, which is how much later than the broker we would be back.
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set_log_level(RDKafkaLogLevel::Info);
    secure(&mut config, settings)?;
    Ok(config)
}

fn secure(config: &mut ClientConfig, settings: &BusSettings) -> Result<(), BusError> {
    let security = &settings.security;
    config.set("security.protocol", security.protocol.as_str());
    trust(config, security)?;
    log_in(config, security)
}

fn trust(config: &mut ClientConfig, security: &SecuritySettings) -> Result<(), BusError> {
    let SecuritySettings { protocol, ca_file, certificate_file, key_file, .. } = security;
    if certificate_file.is_some() != key_file.is_some() {
        return Err(contradiction("certificate_file and key_file go together"));
    }
    for (name, file, theirs) in [
        ("ca_file", ca_file, "ssl.ca.location"),
        ("certificate_file", certificate_file, "ssl.certificate.location"),
        ("key_file", key_file, "ssl.key.location"),
    ] {
        let Some(file) = file else { continue };
        if !matches!(protocol, SecurityProtocol::Ssl | SecurityProtocol::SaslSsl) {
            return Err(contradiction(&format!("{name} needs protocol ssl or sasl_ssl")));
        }
        // librdkafka would name a setting of its own.
        if let Err(error) = std::fs::File::open(file) {
            return Err(contradiction(&format!("{name} {}: {error}", file.display())));
        }
        config.set(theirs, file.to_string_lossy());
    }
    Ok(())
}

fn log_in(config: &mut ClientConfig, security: &SecuritySettings) -> Result<(), BusError> {
    let SecuritySettings { protocol, sasl_mechanism, username, password, .. } = security;
    let sasl = matches!(protocol, SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl);
    match (sasl_mechanism, username, password) {
        (None, None, None) if !sasl => Ok(()),
        (Some(mechanism), Some(username), Some(password)) if sasl => {
            if !MECHANISMS.contains(&mechanism.as_str()) {
                let known = MECHANISMS.join(", ");
                return Err(contradiction(&format!("sasl_mechanism {mechanism:?} is none of {known}")));
            }
            config
                .set("sasl.mechanism", mechanism)
                .set("sasl.username", username)
                .set("sasl.password", password.expose());
            Ok(())
        }
        _ if sasl => Err(contradiction("protocol with SASL needs sasl_mechanism, username and password")),
        // Someone who believes to be logged in, and is not.
        _ => Err(contradiction(
            "sasl_mechanism, username and password need protocol sasl_ssl or sasl_plaintext",
        )),
    }
}

fn contradiction(what: &str) -> BusError {
    BusError::Settings(format!("[bus.security] {what}"))
}

/// Turns a refused configuration into an error. librdkafka's text names the field and may quote its value, so only
/// the name is kept.
pub(super) fn refused(error: &KafkaError) -> BusError {
    match error {
        KafkaError::ClientConfig(_, _, name, _) => {
            BusError::Settings(format!("Kafka does not take the value that {name} has"))
        }
        KafkaError::ClientCreation(reason) => BusError::Settings(format!("Kafka client: {reason}")),
        other => BusError::unavailable("make a Kafka client", other),
    }
}

/// Says what a failed call means to the caller.
pub(super) fn failed(action: &str, error: &KafkaError) -> BusError {
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::MessageTimedOut
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::RequestTimedOut,
        ) => BusError::Timeout,
        Some(code) => BusError::unavailable(action, code),
        None => BusError::unavailable(action, error),
    }
}

/// Hands librdkafka's log lines to `tracing`, and keeps why a broker does not let us in.
#[derive(Debug, Clone, Default)]
pub(super) struct Logs {
    pub(super) refusal: Refusal,
}

impl ClientContext for Logs {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(target: "librdkafka", facility, "{message}");
            }
            // A connection that failed is an "error" to librdkafka, which retries it for ever.
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                tracing::warn!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
        }
    }

    // Already logged by the line above, with the broker's address.
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        self.refusal.note(&error, reason);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use common::crypto::Secret;

    use super::*;

    fn sasl() -> BusSettings {
        let security = SecuritySettings {
            protocol: SecurityProtocol::SaslSsl,
            sasl_mechanism: Some("SCRAM-SHA-512".into()),
            username: Some("sealpost".into()),
            password: Some(Secret::new("hunter2".to_owned())),
            ca_file: Some(file()),
            certificate_file: Some(file()),
            key_file: Some(file()),
        };
        BusSettings { brokers: "localhost:9093".into(), security, ..BusSettings::default() }
    }

    /// Any file that can be opened.
    fn file() -> PathBuf {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
    }

    #[test]
    fn settings_reach_librdkafka() {
        let config = config(&BusSettings { client_id: "sms-lagos".into(), ..sasl() }).unwrap();

        assert_eq!(config.get("client.id"), Some("sms-lagos"));
        assert_eq!(config.get("security.protocol"), Some("sasl_ssl"));
        assert_eq!(config.get("sasl.mechanism"), Some("SCRAM-SHA-512"));
        assert_eq!(config.get("sasl.username"), Some("sealpost"));
        assert_eq!(config.get("sasl.password"), Some("hunter2"));
        for location in ["ssl.ca.location", "ssl.certificate.location", "ssl.key.location"] {
            assert_eq!(config.get(location), file().to_str(), "{location}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused_before_anything_connects() {
        type Spoil = fn(&mut SecuritySettings);
        let cases: [(&str, Spoil); 8] = [
            ("needs sasl_mechanism, username and password", |it| it.password = None),
            ("none of PLAIN", |it| it.sasl_mechanism = Some("SCRAM".into())),
            ("/nowhere/ca.pem", |it| it.ca_file = Some("/nowhere/ca.pem".into())),
            ("certificate_file and key_file go together", |it| it.key_file = None),
            ("key_file /nowhere/us.key", |it| it.key_file = Some("/nowhere/us.key".into())),
            ("ca_file needs protocol", |it| it.protocol = SecurityProtocol::SaslPlaintext),
            ("need protocol sasl_ssl", |it| it.protocol = SecurityProtocol::Ssl),
            ("need protocol sasl_ssl", |it| {
                it.protocol = SecurityProtocol::Plaintext;
                (it.ca_file, it.certificate_file, it.key_file) = (None, None, None);
            }),
        ];

        for (expected, spoil) in cases {
            let mut settings = sasl();
            spoil(&mut settings.security);

            let refused = config(&settings).unwrap_err();

            let said = refused.to_string();
            assert!(matches!(refused, BusError::Settings(_)), "{said}");
            assert!(said.contains("[bus.security]") && said.contains(expected), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn missing_brokers_are_named() {
        let settings = BusSettings { brokers: " ".into(), ..BusSettings::default() };

        assert!(config(&settings).unwrap_err().to_string().contains("brokers"));
    }
}
