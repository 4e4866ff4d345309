//! Calls for the interface of signal_server.

use common::models::signal_server::{SignalServerFound, SignalServerName, SignalServerUser};
use reqwest::Method;

use super::AuthClient;
use crate::error::ClientError;

impl AuthClient {
    /// Asks which user of the interface has this name, exactly. Nothing is kept of the answer: whoever has registered
    /// can be written to at once, and whoever has given a name up gets nothing for it any more.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn signal_server_user(&self, username: &str) -> Result<Option<SignalServerUser>, ClientError> {
        let url = self.peer.url(&["internal", "auth", "v1", "signal-server", "accounts"]);
        let body = SignalServerName { username: username.to_owned() };
        let request = self.peer.request(Method::POST, url).json(&body);
        let found: SignalServerFound = self.peer.json(self.peer.repeat(request).await?).await?;
        Ok(found.user)
    }
}
