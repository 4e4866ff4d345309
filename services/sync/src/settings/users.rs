//! Accounts of others, and the platforms of our own.

use std::time::Duration;

use common::crypto::Secret;
use config::Fault;
use serde::{Deserialize, Serialize};
use url::Url;

/// What stands for the id of a user in the URLs of a `user_api`.
pub(crate) const USER: &str = "%s";

/// The user-management API of an installation that has one (`[user_management_api]` and `[dev_api]` of the gateway server).
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserApiSettings {
    /// Its base URL, which goes before the logos of platforms.
    pub api_url: String,
    /// Where a password is checked, with `%s` for the user's id.
    pub verification_url: String,
    /// Where the platforms of a user are listed, likewise.
    pub platforms_url: String,
    /// Where the user with a phone number is looked up. Empty: no SMS finds its user.
    pub phone_url: String,
    /// Where `auth_id` and `auth_key` are shown before a number is looked up. Empty: nowhere.
    pub authentication_url: String,
    /// Who asks for numbers.
    pub auth_id: String,
    /// Its secret.
    pub auth_key: Secret<String>,
    /// How long one call may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Largest answer, in bytes.
    pub max_answer_bytes: usize,
}

impl Default for UserApiSettings {
    fn default() -> Self {
        Self {
            api_url: String::new(),
            verification_url: String::new(),
            platforms_url: String::new(),
            phone_url: String::new(),
            authentication_url: String::new(),
            auth_id: String::new(),
            auth_key: Secret::default(),
            timeout: Duration::from_secs(10),
            max_answer_bytes: 256 * 1024,
        }
    }
}

impl UserApiSettings {
    /// Whether any of its calls needs TLS.
    pub(crate) fn needs_tls(&self) -> bool {
        self.urls().iter().any(|(url, _)| url.starts_with("https:"))
    }

    fn urls(&self) -> [(&str, &str); 4] {
        [
            (&self.verification_url, "verification_url"),
            (&self.platforms_url, "platforms_url"),
            (&self.phone_url, "phone_url"),
            (&self.authentication_url, "authentication_url"),
        ]
    }

    /// The rules that a type cannot express.
    pub(super) fn validate(&self, faults: &mut Vec<Fault>) {
        let mut fault = |place: &str, rule: &str| {
            faults.push(Fault::new(format!("sync.user_api.{place}"), rule));
        };
        for (url, place) in self.urls() {
            let of_user = matches!(place, "verification_url" | "platforms_url");
            let parsed = url.replace(USER, "user").parse::<Url>();
            let web = parsed.is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
            match url {
                "" if !of_user => {}
                _ if !web => fault(place, "expected a URL that begins with http:// or https://"),
                _ if of_user && !url.contains(USER) => {
                    fault(place, "has no %s, where the user's id would be");
                }
                _ => {}
            }
        }
        if self.timeout.is_zero() {
            fault("timeout", "is above 0");
        }
    }
}

/// A platform that messages can be published to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformSettings {
    /// Its name: `gmail`.
    pub name: String,
    /// What it is, for people.
    #[serde(default)]
    pub description: String,
    /// The URL of its picture.
    #[serde(default)]
    pub logo: String,
    /// Where a user connects it.
    #[serde(default)]
    pub initialization_url: String,
    /// What is published there: `email`, `text`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What an SMS for it begins with: `g`.
    pub letter: char,
}
