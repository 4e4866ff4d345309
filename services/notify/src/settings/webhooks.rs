//! The parts `[[notify.webhooks]]`.

use std::collections::HashSet;

use serde::Deserialize;
use url::Url;
use webhook::{SigningSecret, Target, TargetFault};

use crate::webhooks::EventKind;

/// A receiver of events. `Debug` does not show its URL, which may hold a secret.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// What it is called in metrics and logs. What waits for it is found by this name, so that its URL may change.
    pub name: String,
    /// Where it is.
    pub url: Url,
    /// What it knows us by: `whsec_` and 24 to 64 random bytes in base64. Each request is signed under all of them.
    pub secrets: Vec<SigningSecret>,
    /// What it is told.
    pub events: Vec<EventKind>,
    /// How the channels begin of which it is told; none: all but those of accounts.
    #[serde(default)]
    pub channels: Vec<String>,
}

impl WebhookSettings {
    /// Checks the receiver.
    ///
    /// # Errors
    /// [`TargetFault`].
    pub(crate) fn target(&self, allow_http: bool) -> Result<Target, TargetFault> {
        Target::new(&self.name, &self.url, &self.secrets, allow_http)
    }
}

impl std::fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookSettings")
            .field("name", &self.name)
            .field("events", &self.events)
            .field("channels", &self.channels)
            .finish_non_exhaustive()
    }
}

/// Finds what is wrong with the receivers together.
pub(super) fn faults(webhooks: &[WebhookSettings], allow_http: bool) -> Vec<String> {
    let mut faults = Vec::new();
    let mut names = HashSet::new();
    for webhook in webhooks {
        if let Err(fault) = webhook.target(allow_http) {
            faults.push(fault.to_string());
        }
        if webhook.events.is_empty() {
            faults.push("a webhook has at least one event".to_owned());
        }
        if !names.insert(&webhook.name) {
            faults.push("two webhooks have the same name".to_owned());
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(json: &str) -> WebhookSettings {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn faults_of_all_webhooks_are_told() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let good = webhook(&format!(
            r#"{{"name":"a","url":"https://a.example/","secrets":["{secret}"],"events":["connect"]}}"#
        ));
        let bad = webhook(r#"{"name":"a","url":"http://a.example/","secrets":[],"events":[]}"#);

        assert_eq!(faults(std::slice::from_ref(&good), false), Vec::<String>::new());
        assert_eq!(
            faults(&[good, bad], false),
            [
                TargetFault::PlainHttp.to_string(),
                "a webhook has at least one event".to_owned(),
                "two webhooks have the same name".to_owned()
            ]
        );
    }

    #[test]
    fn debug_shows_neither_url_nor_secret() {
        let one = webhook(
            r#"{"name":"a","url":"https://a.example/hidden","secrets":[],"events":["presence.enter"]}"#,
        );

        assert!(!format!("{one:?}").contains("hidden"), "{one:?}");
    }
}
