//! The sections that every service shares. Each has defaults that fit a laptop; secrets have none.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use bus::{AmqpTlsSettings, BusSettings};
use clients::Timeouts;
use common::crypto::Secret;
use config::{Config, ConfigError, Fault};
use db::{DbSettings, Synchronous};
use serde::Deserialize;
use telemetry::TelemetrySettings;
use url::Url;
use web::{HttpSettings, LimitSettings};

use crate::retention::Retention;
use crate::revocations::MAX_ACCESS_TTL;
use crate::signal_server::SignalServerSettings;
use crate::woosh::WooshSettings;

/// Every section that a settings file may have: one file can serve all programs, so each accepts the sections of the
/// others, and only those.
pub const SECTIONS: [&str; 16] = [
    "http",
    "internal",
    "database",
    "bus",
    "live",
    "telemetry",
    "limits",
    "auth",
    "keystore",
    "mailbox",
    "sync",
    "notify",
    "relay",
    "sms_gateway",
    "compat.signal_server",
    "compat.woosh",
];

/// Sections by the names that the documents of a known system have for them, and what they are called here.
pub(crate) const OTHER_NAMES: [(&str, &str); 1] = [("websocket_sync", "sync")];

/// The common sections. `Debug` is safe to log.
#[derive(Clone, Debug, Default)]
pub struct CommonSettings {
    /// `[http]`: the public listener.
    pub http: HttpSettings,
    /// `[internal]`: the internal listener, credentials, and where the other services are.
    pub internal: InternalSection,
    /// `[database]`: where tables are kept.
    pub database: DatabaseSection,
    /// `[bus]`: embedded log or Kafka.
    pub bus: BusSettings,
    /// `[live]`: fan-out to connected clients.
    pub live: LiveSection,
    /// `[telemetry]`: logs.
    pub telemetry: TelemetrySettings,
    /// `[limits]`: rate limits.
    pub limits: LimitSettings,
    /// `[compat.signal_server]`: the interface of signal_server.
    pub signal_server: SignalServerSettings,
    /// `[compat.woosh]`: the interface of Woosh.
    pub woosh: WooshSettings,
}

impl CommonSettings {
    /// Reads the common sections and checks them, and refuses sections that no program has; `own` names those of a
    /// service that is not among [`SECTIONS`].
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with the faults of all sections.
    pub fn load(config: &Config, own: &[&str]) -> Result<Self, ConfigError> {
        let mut faults = Vec::new();
        let settings = Self {
            http: read(config, "http", &mut faults),
            internal: read(config, "internal", &mut faults),
            database: read(config, "database", &mut faults),
            bus: read(config, "bus", &mut faults),
            live: read(config, "live", &mut faults),
            telemetry: read(config, "telemetry", &mut faults),
            limits: read(config, "limits", &mut faults),
            signal_server: read(config, "compat.signal_server", &mut faults),
            woosh: read(config, "compat.woosh", &mut faults),
        };
        if let Err(error) = config.reject_unknown_sections(&[&SECTIONS, own].concat()) {
            faults.extend_from_slice(error.faults());
        }
        if faults.is_empty() {
            settings.validate(&mut faults);
        }
        if faults.is_empty() { Ok(settings) } else { Err(ConfigError::Invalid(faults)) }
    }

    /// The rules that a type cannot express.
    fn validate(&self, faults: &mut Vec<Fault>) {
        for (place, secret) in
            [("internal.token", &self.internal.token), ("internal.admin_token", &self.internal.admin_token)]
        {
            match secret {
                Some(secret) if secret.expose().len() >= MIN_SECRET_BYTES => {}
                Some(_) => {
                    faults.push(Fault::new(
                        place,
                        format!("a secret has at least {MIN_SECRET_BYTES} characters"),
                    ));
                }
                // Without it no other service could be called; without the other, operators' calls are refused.
                None if place == "internal.token" => {
                    faults.push(Fault::new(
                        place,
                        "is a secret without a default; set it, or internal.token_file",
                    ));
                }
                None => {}
            }
        }
        for (place, limit) in [
            ("internal.timeout", self.internal.timeout),
            ("internal.nudge_timeout", self.internal.nudge_timeout),
        ] {
            if limit.is_zero() {
                faults.push(Fault::new(place, "is no time at all: every call would fail"));
            }
        }
        if self.signal_server.token_ttl > MAX_ACCESS_TTL {
            faults.push(Fault::new(
                "compat.signal_server.token_ttl",
                "is an hour at most: a revocation is remembered for so long",
            ));
        }
        for (place, url) in [
            ("internal.auth_url", &self.internal.auth_url),
            ("internal.keystore_url", &self.internal.keystore_url),
            ("internal.mailbox_url", &self.internal.mailbox_url),
            ("internal.sync_url", &self.internal.sync_url),
            ("internal.relay_url", &self.internal.relay_url),
            ("internal.jwks_url", &self.internal.jwks_url),
            ("http.public_url", &self.http.public_url),
        ] {
            if url.as_ref().is_some_and(|url| !matches!(url.scheme(), "http" | "https")) {
                faults.push(Fault::new(place, "expected a URL that begins with http:// or https://"));
            }
        }
    }
}

/// Anything shorter can be guessed.
const MIN_SECRET_BYTES: usize = 16;

fn read<T: serde::de::DeserializeOwned + Default>(
    config: &Config,
    section: &str,
    faults: &mut Vec<Fault>,
) -> T {
    config.section(section).unwrap_or_else(|error| {
        faults.extend_from_slice(error.faults());
        T::default()
    })
}

/// The section `[internal]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InternalSection {
    /// Where the internal listener (health, metrics, calls between services, operators) listens.
    pub listen: SocketAddr,
    /// The credential of calls between services; no default.
    pub token: Option<Secret<String>>,
    /// The credential of operators; without it their calls are refused.
    pub admin_token: Option<Secret<String>>,
    /// The internal base URL of auth, where this process does not host it itself; default: `http://auth:9090`.
    pub auth_url: Option<Url>,
    /// The internal base URL of keystore, likewise; default: `http://keystore:9090`.
    pub keystore_url: Option<Url>,
    /// The internal base URL of mailbox, likewise; default: `http://mailbox:9090`.
    pub mailbox_url: Option<Url>,
    /// The internal base URL of sync, likewise; default: `http://sync:9090`.
    pub sync_url: Option<Url>,
    /// The internal base URL of relay, likewise; default: `http://relay:9090`.
    pub relay_url: Option<Url>,
    /// Where the public keys of access tokens are, likewise; default: `/.well-known/jwks.json` below `auth_url`.
    pub jwks_url: Option<Url>,
    /// How long the log of what operators do is kept, or `never` for one that only grows. What is left of it stays a chain.
    pub audit_retention: Retention,
    /// How often public keys and revocations are read from auth again, beside the events that tell of changes.
    #[serde(with = "humantime_serde")]
    pub refresh: Duration,
    /// How long a call of another service may take, each time that it is tried.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// How long a request that ends a session or an account waits for the other services to hear of it. Those that do not
    /// answer in time hear of it by the bus.
    #[serde(with = "humantime_serde")]
    pub nudge_timeout: Duration,
}

impl Default for InternalSection {
    fn default() -> Self {
        let server = web::InternalSettings::default();
        Self {
            listen: server.listen,
            token: None,
            admin_token: None,
            audit_retention: Retention::FOREVER,
            auth_url: None,
            keystore_url: None,
            mailbox_url: None,
            sync_url: None,
            relay_url: None,
            jwks_url: None,
            refresh: Duration::from_secs(60),
            timeout: Timeouts::default().request,
            nudge_timeout: Duration::from_secs(1),
        }
    }
}

impl InternalSection {
    /// The part that the server needs.
    #[must_use]
    pub fn server(&self) -> web::InternalSettings {
        web::InternalSettings {
            listen: self.listen,
            token: self.token.clone(),
            admin_token: self.admin_token.clone(),
        }
    }
}

/// The section `[database]`.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseSection {
    /// `postgres://…` (each service has a schema of its own there), `sqlite:PATH` (the file of one service), or empty:
    /// SQLite, a file per service in the data directory.
    pub url: String,
    /// The most connections a service opens, beside those of group commit.
    pub pool_size: u32,
    /// How long a call waits for a connection.
    #[serde(with = "humantime_serde")]
    pub checkout_timeout: Duration,
    /// SQLite: whether each commit is on disk when it returns (`full`), or may be lost with the power (`normal`).
    pub sqlite_synchronous: Synchronous,
    /// Whether `serve` applies pending migrations first. The standalone always does; in a cluster `migrate` is a job.
    pub migrate_on_start: bool,
}

impl Default for DatabaseSection {
    fn default() -> Self {
        let mechanism = DbSettings::default();
        Self {
            url: String::new(),
            pool_size: mechanism.pool_size,
            checkout_timeout: mechanism.checkout_timeout,
            sqlite_synchronous: mechanism.sqlite_synchronous,
            migrate_on_start: false,
        }
    }
}

impl fmt::Debug for DatabaseSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseSection")
            .field("url", &DbSettings::new(self.url.as_str()).shown_url())
            .field("pool_size", &self.pool_size)
            .field("checkout_timeout", &self.checkout_timeout)
            .field("sqlite_synchronous", &self.sqlite_synchronous)
            .field("migrate_on_start", &self.migrate_on_start)
            .finish()
    }
}

impl DatabaseSection {
    /// The database of one service: the URL as it is, or a file in the data directory.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] when there is neither a URL nor a data directory.
    pub fn of(&self, schema: &str, data_dir: Option<&Path>) -> Result<DbSettings, ConfigError> {
        match (self.url.as_str(), data_dir) {
            ("", None) => Err(ConfigError::invalid(
                "database.url",
                "is empty, which needs a data directory (--data-dir) for the SQLite files",
            )),
            ("", Some(dir)) => {
                Ok(self.with_url(format!("sqlite:{}", dir.join(format!("{schema}.sqlite")).display())))
            }
            (url, _) => Ok(self.with_url(url.to_owned())),
        }
    }

    fn with_url(&self, url: String) -> DbSettings {
        let mut settings = DbSettings::new(url);
        settings.pool_size = self.pool_size;
        settings.checkout_timeout = self.checkout_timeout;
        settings.sqlite_synchronous = self.sqlite_synchronous;
        settings
    }
}

/// The section `[live]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LiveSection {
    /// `amqp://…` or `amqps://…`, shared by all pods; empty: within this process.
    pub url: Secret<String>,
    /// `[live.tls]`: the certificates of `amqps://`.
    pub tls: AmqpTlsSettings,
}

/// The URL under which this process reaches its own listener.
pub(crate) fn own_url(address: SocketAddr) -> Result<Url, url::ParseError> {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    Url::parse(&format!("http://{}", SocketAddr::new(ip, address.port())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn load(env: &[(&str, &str)]) -> Result<CommonSettings, ConfigError> {
        let env = env.iter().map(|(name, value)| (format!("SEALPOST__{name}"), (*value).to_owned()));
        CommonSettings::load(&Config::load(None, env, [])?, &["toy"])
    }

    #[test]
    fn a_service_without_its_secret_refuses_to_start() {
        let missing = load(&[]).unwrap_err();
        let short = load(&[("INTERNAL__TOKEN", "short")]).unwrap_err();

        assert!(missing.to_string().starts_with("internal.token: "), "{missing}");
        assert!(short.to_string().starts_with("internal.token: "), "{short}");
        assert!(load(&[("INTERNAL__TOKEN", TOKEN)]).is_ok());
    }

    #[test]
    fn the_faults_of_all_sections_are_told_together() {
        let error = load(&[
            ("INTERNAL__TOKEN", TOKEN),
            ("HTTP__LISTEN", "nowhere"),
            ("BUS__KIND", "pigeon"),
            ("TELEMETRY__FORMAT", "verse"),
            ("MAILBX__TTL", "1s"),
            ("TOY__SIZE", "1"),
        ])
        .unwrap_err();

        let places: Vec<&str> = error.faults().iter().map(|fault| fault.place.as_str()).collect();
        assert_eq!(places, ["http.listen", "bus.kind", "telemetry.format", "mailbx"]);
    }

    #[test]
    fn urls_that_are_not_http_are_refused() {
        let error =
            load(&[("INTERNAL__TOKEN", TOKEN), ("INTERNAL__AUTH_URL", "mailto:x@example.org")]).unwrap_err();

        assert_eq!(error.faults()[0].place, "internal.auth_url");
    }

    #[test]
    fn debug_shows_no_secret() {
        let settings = load(&[
            ("INTERNAL__TOKEN", TOKEN),
            ("INTERNAL__ADMIN_TOKEN", "hunter2hunter2hunter2"),
            ("DATABASE__URL", "postgres://sealpost:hunter3@db/sealpost"),
            ("LIVE__URL", "amqp://guest:hunter4@mq"),
            ("BUS__SECURITY__PASSWORD", "hunter5"),
        ])
        .unwrap();

        let text = format!("{settings:?}");
        assert!(!text.contains("hunter") && !text.contains(TOKEN), "{text}");
    }

    #[test]
    fn an_empty_database_url_means_a_file_per_service() {
        let section = DatabaseSection::default();

        assert_eq!(section.of("auth", Some(Path::new("/data"))).unwrap().url, "sqlite:/data/auth.sqlite");
        assert!(section.of("auth", None).is_err());
    }
}
