//! Calls for the interface of signal_server, whose devices have queues of their own.

use common::models::signal_server::OpenSignalServerDevice;
use common::models::{AccountId, Generation};
use reqwest::Method;
use url::Url;

use super::MailboxClient;
use crate::error::ClientError;

impl MailboxClient {
    /// Opens the queue of an account's device. Repeated with the same generation it has no further effect.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with 409 when that generation was closed, or the account deleted.
    pub async fn open_signal_server(
        &self,
        account: AccountId,
        body: &OpenSignalServerDevice,
    ) -> Result<(), ClientError> {
        let request = self.peer.request(Method::PUT, self.signal_server(account)).json(body);
        self.peer.repeat(request).await.map(drop)
    }

    /// Closes the queue that `generation` opened, with all it holds, and keeps it from being opened later. That of
    /// another generation stays.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn close_signal_server(
        &self,
        account: AccountId,
        generation: Generation,
    ) -> Result<(), ClientError> {
        let mut url = self.signal_server(account);
        url.query_pairs_mut().append_pair("generation", generation.as_str());
        self.peer.repeat(self.peer.request(Method::DELETE, url)).await.map(drop)
    }

    fn signal_server(&self, account: AccountId) -> Url {
        self.peer.url(&["internal", "mailbox", "v1", "signal-server", account.as_str()])
    }
}
