//! Calls of `relay`: which modems are there.

use common::models::gateway::Seed;
use reqwest::Method;

use crate::error::ClientError;
use crate::http::Peer;

/// The client of `relay`.
#[derive(Clone, Debug)]
pub struct RelayClient {
    peer: Peer,
}

impl RelayClient {
    /// Makes the client.
    #[must_use]
    pub fn new(peer: Peer) -> Self {
        Self { peer }
    }

    /// Lists the modems that are there, as everybody may see them. The call is made once.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn seeds(&self) -> Result<Vec<Seed>, ClientError> {
        let url = self.peer.url(&["internal", "relay", "v1", "seeds"]);
        let answer = self.peer.once(self.peer.request(Method::GET, url)).await?;
        self.peer.json(answer).await
    }
}
