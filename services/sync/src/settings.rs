//! The `[sync]` section. What the documents of the gateway server call otherwise is in `docs/compat/sync-gateway.md`.

mod provisioning;
mod seconds;
mod users;

use std::time::Duration;

use common::crypto::oaep::OaepPrivateKey;
use common::crypto::{DataKey, Secret};
use config::{ConfigError, Fault};
use serde::Deserialize;
use service::Retention;
use url::Url;

use crate::domain::session::Pace;

pub use provisioning::ProvisioningSettings;
pub(crate) use users::USER;
pub use users::{PlatformSettings, UserApiSettings};

/// Settings of this service.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyncSettings {
    /// Who may start a session. Default: `login` with our own accounts, `open` with those of a `user_api`.
    pub start: Option<Start>,
    /// How many URLs a session shows.
    pub session_change_limit: u16,
    /// How long each of them counts; a number is one of seconds.
    #[serde(with = "seconds")]
    pub session_sleep_timeout: Duration,
    /// How long a session waits for the password after its handshake; a number is one of seconds.
    #[serde(with = "seconds")]
    pub session_paused_timeout: Duration,
    /// The frames of a websocket that does not ask for a form.
    pub format: Format,
    /// Where this service is reached, for the URLs that it gives out. Default: `http.public_url`, or else whatever host a
    /// request names.
    pub public_url: Option<Url>,
    /// Where the list of gateway clients is. Default: `/seeds` below the public URL.
    pub seeds_url: Option<Url>,
    /// The RSA key (PEM) that passwords are encrypted with; its public half is in every handshake. Required.
    pub private_key: Secret<String>,
    /// The key under which the shared keys in the table are sealed: 32 bytes in base64url without padding. Required; with
    /// another one, devices have to synchronize again.
    pub data_key: Secret<String>,
    /// Where accounts are kept that are not ours; none: they are those of auth.
    pub user_api: Option<UserApiSettings>,
    /// What users of our own accounts can publish to; a `user_api` has its own list for each.
    pub platforms: Vec<PlatformSettings>,
    /// Synchronized devices of one user; over it, the one that synchronized first is forgotten.
    pub max_devices: u16,
    /// How long after it synchronized the key of a device is kept; the device has to synchronize again then. Of our own
    /// accounts they go with the account in any case; a `user_api` tells nobody that a user is gone.
    pub device_ttl: Retention,
    /// Websockets of this process that show a session; more are answered 503.
    pub max_sockets: usize,
    /// How long relay may take to list the gateway clients for a device that synchronizes.
    #[serde(with = "humantime_serde")]
    pub seeds_timeout: Duration,
    /// Largest body of a handshake or a verification, in bytes.
    pub max_body_bytes: usize,
    /// How often a websocket looks at its session without being told that something has changed.
    #[serde(with = "humantime_serde")]
    pub recheck: Duration,
    /// How often a process makes sure that the others can tell that it lives.
    #[serde(with = "humantime_serde")]
    pub process_check: Duration,
    /// Silence after which a websocket is pinged.
    #[serde(with = "humantime_serde")]
    pub ping: Duration,
    /// Silence after which a websocket is given up.
    #[serde(with = "humantime_serde")]
    pub idle: Duration,
    /// How often what has expired is removed.
    #[serde(with = "humantime_serde")]
    pub sweep_every: Duration,
    /// Rows that are removed in one transaction when they have expired.
    pub sweep_batch: u32,
    /// `[sync.provisioning]`: linking of devices.
    pub provisioning: ProvisioningSettings,
}

impl Default for SyncSettings {
    fn default() -> Self {
        Self {
            start: None,
            session_change_limit: 3,
            session_sleep_timeout: Duration::from_secs(15),
            session_paused_timeout: Duration::from_secs(120),
            format: Format::Text,
            public_url: None,
            seeds_url: None,
            private_key: Secret::default(),
            data_key: Secret::default(),
            user_api: None,
            platforms: Vec::new(),
            max_devices: 32,
            device_ttl: Retention::FOREVER,
            max_sockets: 10_000,
            seeds_timeout: Duration::from_secs(1),
            max_body_bytes: 64 * 1024,
            recheck: Duration::from_secs(2),
            process_check: Duration::from_secs(5),
            ping: Duration::from_secs(20),
            idle: Duration::from_secs(50),
            sweep_every: Duration::from_secs(60),
            sweep_batch: 500,
            provisioning: ProvisioningSettings::default(),
        }
    }
}

/// Who may start a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// The user, logged in.
    Login,
    /// Anybody who knows the user's id.
    Open,
}

/// The frames of a websocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The bare URL.
    Text,
    /// An object with the URL for a QR code, that for a link, and the fingerprint of the server's key.
    Json,
}

impl SyncSettings {
    /// Who may start a session here.
    pub(crate) fn start(&self) -> Start {
        self.start.unwrap_or(if self.user_api.is_some() { Start::Open } else { Start::Login })
    }

    /// How fast sessions go.
    pub(crate) fn pace(&self) -> Pace {
        Pace {
            turns: self.session_change_limit,
            turn: self.session_sleep_timeout,
            pause: self.session_paused_timeout,
        }
    }

    /// The rules that a type cannot express, as far as they do not belong to the keys.
    pub(crate) fn validate(&self, faults: &mut Vec<Fault>) {
        let mut check = |holds: bool, place: &str, rule: &str| {
            if !holds {
                faults.push(Fault::new(format!("sync.{place}"), rule));
            }
        };
        for (url, place) in [(&self.public_url, "public_url"), (&self.seeds_url, "seeds_url")] {
            let web = url.as_ref().is_none_or(|url| matches!(url.scheme(), "http" | "https"));
            check(web, place, "expected a URL that begins with http:// or https://");
        }
        check(self.idle > self.ping && !self.ping.is_zero(), "idle", "is longer than ping, which is above 0");
        let counts = [
            (usize::from(self.session_change_limit), "session_change_limit"),
            (usize::from(self.max_devices), "max_devices"),
            (self.max_sockets, "max_sockets"),
            (self.max_body_bytes, "max_body_bytes"),
            (self.sweep_batch as usize, "sweep_batch"),
        ];
        for (count, place) in counts {
            check(count > 0, place, "is above 0");
        }
        let times = [
            (self.session_sleep_timeout, "session_sleep_timeout"),
            (self.session_paused_timeout, "session_paused_timeout"),
            (self.seeds_timeout, "seeds_timeout"),
            (self.recheck, "recheck"),
            (self.process_check, "process_check"),
            (self.sweep_every, "sweep_every"),
        ];
        for (time, place) in times {
            check(!time.is_zero(), place, "is above 0");
        }
        self.provisioning.validate(faults);
        if let Some(user_api) = &self.user_api {
            user_api.validate(faults);
        }
    }

    /// Reads the keys, and checks all that a type cannot express.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with all faults.
    pub(crate) fn keys(&self) -> Result<Keys, ConfigError> {
        let mut faults = Vec::new();
        self.validate(&mut faults);
        let private = read("private_key", &self.private_key, &mut faults, |text| {
            OaepPrivateKey::from_pem(text).map_err(|error| error.to_string())
        });
        let data = read("data_key", &self.data_key, &mut faults, |text| {
            DataKey::from_text(text).map_err(|error| format!("is {error}"))
        });
        match (private, data) {
            (Some(private), Some(data)) if faults.is_empty() => Ok(Keys { private, data }),
            _ => Err(ConfigError::Invalid(faults)),
        }
    }
}

/// The keys of this service.
pub(crate) struct Keys {
    /// What passwords are encrypted with.
    pub(crate) private: OaepPrivateKey,
    /// What the table is sealed with.
    pub(crate) data: DataKey,
}

fn read<K>(
    place: &str,
    secret: &Secret<String>,
    faults: &mut Vec<Fault>,
    read: impl FnOnce(&str) -> Result<K, String>,
) -> Option<K> {
    let place = format!("sync.{place}");
    let key = match secret.is_empty() {
        true => Err(format!("is a secret without a default; set it, or {place}_file")),
        false => read(secret.expose()),
    };
    key.map_err(|fault| faults.push(Fault::new(place, fault))).ok()
}

#[cfg(test)]
mod tests;
