//! Calls of `mailbox`: opening and closing the mailbox of a device.

mod signal_server;

use common::models::internal::OpenMailbox;
use common::models::{AccountId, DeviceId, Generation};
use reqwest::Method;
use url::Url;

use crate::error::ClientError;
use crate::http::Peer;

/// The client of `mailbox`.
#[derive(Clone, Debug)]
pub struct MailboxClient {
    peer: Peer,
}

impl MailboxClient {
    /// Makes the client.
    #[must_use]
    pub fn new(peer: Peer) -> Self {
        Self { peer }
    }

    /// Opens the mailbox of a device. Repeated with the same generation it has no further effect.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with 409 when a later generation has opened it.
    pub async fn open(
        &self,
        account: AccountId,
        device: DeviceId,
        body: &OpenMailbox,
    ) -> Result<(), ClientError> {
        let request = self.peer.request(Method::PUT, self.url(account, device)).json(body);
        self.peer.repeat(request).await.map(drop)
    }

    /// Closes the mailbox that `generation` opened, with all it holds. One that is gone, or that a later generation
    /// has opened, is left as it is.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn close(
        &self,
        account: AccountId,
        device: DeviceId,
        generation: Generation,
    ) -> Result<(), ClientError> {
        let mut url = self.url(account, device);
        url.query_pairs_mut().append_pair("generation", &generation.to_string());
        match self.peer.repeat(self.peer.request(Method::DELETE, url)).await {
            Ok(_) | Err(ClientError::Refused { status: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn url(&self, account: AccountId, device: DeviceId) -> Url {
        let (account, device) = (account.to_string(), device.to_string());
        self.peer.url(&["internal", "mailbox", "v1", "mailboxes", &account, &device])
    }
}
