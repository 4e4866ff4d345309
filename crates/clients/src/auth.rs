//! Calls of `auth`: its public keys, what it has revoked, sessions and accounts.

mod signal_server;
mod sync;
mod woosh;

use common::crypto::jws::JwkSet;
use common::models::internal::{BindDevice, Revocations, SeenDevices, Tokens};
use common::models::{AccountId, DeviceId, SessionId};
use reqwest::Method;
use url::Url;

use crate::error::ClientError;
use crate::http::Peer;

pub use self::sync::PasswordVerdict;
pub use self::woosh::WooshCaller;

/// The client of `auth`.
#[derive(Clone, Debug)]
pub struct AuthClient {
    peer: Peer,
    jwks: Url,
}

impl AuthClient {
    /// Makes the client. `jwks` is where the public keys are; without it they are asked of the internal listener.
    #[must_use]
    pub fn new(peer: Peer, jwks: Option<Url>) -> Self {
        let jwks = jwks.unwrap_or_else(|| peer.url(&[".well-known", "jwks.json"]));
        Self { peer, jwks }
    }

    /// Reads the keys that verify access tokens.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn jwks(&self) -> Result<JwkSet, ClientError> {
        let response = self.peer.repeat(self.peer.public(self.jwks.clone())).await?;
        self.peer.json(response).await
    }

    /// Reads all sessions and accounts whose access tokens must be refused though they have not expired.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn revocations(&self) -> Result<Revocations, ClientError> {
        let url = self.peer.url(&["internal", "auth", "v1", "revocations"]);
        let response = self.peer.repeat(self.peer.request(Method::GET, url)).await?;
        self.peer.json(response).await
    }

    /// Binds `session` to the device that its account has just registered, and returns fresh tokens that name it. Not
    /// repeated: each call ends the tokens of the one before.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with 404 for an unknown session and 409 for one that is bound to another device.
    pub async fn bind_device(
        &self,
        session: SessionId,
        account: AccountId,
        device: DeviceId,
    ) -> Result<Tokens, ClientError> {
        let url = self.peer.url(&["internal", "auth", "v1", "sessions", &session.to_string(), "device"]);
        let body = BindDevice { account_id: account, device_id: device };
        let response = self.peer.once(self.peer.request(Method::POST, url).json(&body)).await?;
        self.peer.json(response).await
    }

    /// Reads when the devices of an account last asked for tokens; those without a session are not among them.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn seen_devices(&self, account: AccountId) -> Result<SeenDevices, ClientError> {
        let url = self.peer.url(&["internal", "auth", "v1", "accounts", &account.to_string(), "devices"]);
        let response = self.peer.repeat(self.peer.request(Method::GET, url)).await?;
        self.peer.json(response).await
    }

    /// Tells whether the account exists (and is not deleted).
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn account_exists(&self, account: AccountId) -> Result<bool, ClientError> {
        let url = self.peer.url(&["internal", "auth", "v1", "accounts", &account.to_string()]);
        match self.peer.repeat(self.peer.request(Method::GET, url)).await {
            Ok(_) => Ok(true),
            Err(ClientError::Refused { status: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
