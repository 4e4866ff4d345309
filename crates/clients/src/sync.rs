//! Calls of `sync`: the keys of devices that have synchronized.

use common::models::E164;
use common::models::sync::{SharedKeys, SharedKeysOf};
use reqwest::Method;

use crate::error::ClientError;
use crate::http::Peer;

/// The client of `sync`.
#[derive(Clone, Debug)]
pub struct SyncClient {
    peer: Peer,
}

impl SyncClient {
    /// Makes the client.
    #[must_use]
    pub fn new(peer: Peer) -> Self {
        Self { peer }
    }

    /// Asks for the keys that an SMS from `phone` may be encrypted with, the newest first; `None` when no user has the
    /// number.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn shared_keys(&self, phone: &E164) -> Result<Option<SharedKeys>, ClientError> {
        let url = self.peer.url(&["internal", "sync", "v1", "shared-keys"]);
        let request = self.peer.request(Method::POST, url).json(&SharedKeysOf { phone: phone.clone() });
        match self.peer.repeat(request).await {
            Ok(answer) => self.peer.json(answer).await.map(Some),
            Err(ClientError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
