//! One provider with the interface WASP, `[[sms_gateway.wasp]]` (spec §9, §12).

use common::crypto::Secret;
use common::models::sms::SmscName;
use serde::Deserialize;
use url::Url;

use super::connection::{Connection, Unreachable};

/// The interface has so many URLs (spec §9).
const MOST_URLS: usize = 8;

/// One such provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WaspSettings {
    /// Its name in rows, logs and metrics; like that of an SMSC, and no SMSC's.
    pub name: SmscName,
    /// One to eight URLs of one service, in order of preference.
    pub urls: Vec<Url>,
    /// Who sends.
    pub username: String,
    /// The password.
    pub password: Secret<String>,
    /// Requests under way at once, at most.
    pub window: usize,
    /// Messages a second, at most; 0: no limit.
    pub tps: f64,
    /// Longest text: one for each character of GSM 03.38, two for each UTF-16 unit where one is not.
    pub max_text_octets: u16,
    /// What becomes of a message while no URL can be reached: `fail` or `wait`.
    pub unreachable: Unreachable,
    /// How it is reached.
    pub connection: Connection,
}

impl Default for WaspSettings {
    fn default() -> Self {
        Self {
            name: "".into(),
            urls: Vec::new(),
            username: String::new(),
            password: Secret::default(),
            window: 10,
            tps: 0.0,
            max_text_octets: u16::MAX,
            unreachable: Unreachable::Fail,
            connection: Connection::default(),
        }
    }
}

impl WaspSettings {
    /// Finds what the types cannot express.
    pub(super) fn faults(&self, fault: &mut dyn FnMut(&str, &str)) {
        let web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        let bare = |url: &Url| url.username().is_empty() && url.password().is_none();
        for (fits, place, what) in [
            ((1..=64).contains(&self.name.as_str().len()), "name", "must have 1 to 64 characters"),
            ((1..=MOST_URLS).contains(&self.urls.len()), "urls", "must be 1 to 8"),
            (self.urls.iter().all(web), "urls", "must begin with http:// or https://"),
            (self.urls.iter().all(bare), "urls", "have no place for credentials: username, password"),
            (!self.username.is_empty(), "username", "is missing"),
            (!self.password.is_empty(), "password", "is missing"),
            (self.window > 0, "window", "must be above 0"),
            (super::is_rate(self.tps), "tps", "must be 0 or above"),
            (self.max_text_octets > 0, "max_text_octets", "must be above 0"),
        ] {
            if !fits {
                fault(place, what);
            }
        }
        self.connection.faults(fault);
    }
}
