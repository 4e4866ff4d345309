//! The parts `[[sms_gateway.webhooks]]`.

use std::collections::HashSet;

use common::models::sms::ClientId;
use serde::Deserialize;
use url::Url;
use webhook::{SigningSecret, Target, TargetFault};

/// A receiver of the statuses of one client. `Debug` does not show its URL, which may hold a secret.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// What it is called in metrics and logs; the client's id, if nothing is said. How far it has come is found by this
    /// name, so that its URL may change.
    #[serde(default)]
    pub name: Option<String>,
    /// Whose statuses it gets: those from the time on when it was first configured.
    pub client: ClientId,
    /// Where it is.
    pub url: Url,
    /// What it knows us by: `whsec_` and 24 to 64 random bytes in base64. Each request is signed under all of them.
    pub secrets: Vec<SigningSecret>,
}

impl WebhookSettings {
    /// Gives the name.
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.client.as_str())
    }

    /// Checks the receiver.
    ///
    /// # Errors
    /// [`TargetFault`].
    pub(crate) fn target(&self, allow_http: bool) -> Result<Target, TargetFault> {
        Target::new(self.name(), &self.url, &self.secrets, allow_http)
    }
}

impl std::fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookSettings")
            .field("name", &self.name())
            .field("client", &self.client)
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
        if !names.insert(webhook.name()) {
            faults.push("two webhooks have the same name".to_owned());
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_called_as_its_client_unless_it_has_a_name() {
        let read = |json: &str| serde_json::from_str::<WebhookSettings>(json).unwrap();
        let plain = read(r#"{"client":"acme","url":"https://a.example/hidden","secrets":[]}"#);
        let named = read(r#"{"name":"b","client":"acme","url":"https://a.example/","secrets":[]}"#);

        assert_eq!((plain.name(), named.name()), ("acme", "b"));
        assert!(!format!("{plain:?}").contains("hidden"), "{plain:?}");
        assert_eq!(faults(&[plain.clone(), plain], false).len(), 3);
    }
}
