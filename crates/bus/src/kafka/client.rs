//! What every client shares: settings, logs, and the meaning of errors.

use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
};

use crate::{BusError, BusSettings};

/// Makes the part of librdkafka's configuration that producers and consumers share.
///
/// # Errors
/// [`BusError::Settings`] without brokers, or with SASL that lacks its credentials.
pub(super) fn config(settings: &BusSettings) -> Result<ClientConfig, BusError> {
    if settings.brokers.trim().is_empty() {
        return Err(BusError::Settings("[bus] brokers is empty; Kafka needs host:port".into()));
    }
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &settings.brokers)
        .set("client.id", "sealpost")
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
    if let Some(file) = &security.ca_file {
        config.set("ssl.ca.location", file.to_string_lossy());
    }
    if !security.protocol.as_str().starts_with("sasl") {
        return Ok(());
    }
    let (Some(mechanism), Some(username), Some(password)) =
        (&security.sasl_mechanism, &security.username, &security.password)
    else {
        let needs = "SASL needs sasl_mechanism, username and password in [bus.security]";
        return Err(BusError::Settings(needs.into()));
    };
    config
        .set("sasl.mechanism", mechanism)
        .set("sasl.username", username)
        .set("sasl.password", password.expose());
    Ok(())
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

/// Hands librdkafka's log lines to `tracing`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Logs;

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
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::crypto::Secret;

    use crate::{SecurityProtocol, SecuritySettings};

    fn sasl() -> BusSettings {
        let security = SecuritySettings {
            protocol: SecurityProtocol::SaslSsl,
            sasl_mechanism: Some("SCRAM-SHA-512".into()),
            username: Some("sealpost".into()),
            password: Some(Secret::new("hunter2".to_owned())),
            ca_file: Some("/etc/ca.pem".into()),
        };
        BusSettings { brokers: "localhost:9093".into(), security, ..BusSettings::default() }
    }

    #[test]
    fn security_settings_reach_librdkafka() {
        let config = config(&sasl()).unwrap();

        assert_eq!(config.get("security.protocol"), Some("sasl_ssl"));
        assert_eq!(config.get("sasl.mechanism"), Some("SCRAM-SHA-512"));
        assert_eq!(config.get("sasl.username"), Some("sealpost"));
        assert_eq!(config.get("sasl.password"), Some("hunter2"));
        assert_eq!(config.get("ssl.ca.location"), Some("/etc/ca.pem"));
    }

    #[test]
    fn sasl_without_a_password_is_refused_before_anything_connects() {
        let mut settings = sasl();
        settings.security.password = None;

        assert!(matches!(config(&settings), Err(BusError::Settings(_))));
    }

    #[test]
    fn missing_brokers_are_named() {
        let settings = BusSettings { brokers: " ".into(), ..BusSettings::default() };

        assert!(config(&settings).unwrap_err().to_string().contains("brokers"));
    }
}
