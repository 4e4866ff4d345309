//! Calls for the synchronization of devices.

use std::time::Duration;

use common::models::sync::{SyncPassword, SyncPhone, SyncUser, SyncVerdict};
use common::models::{AccountId, E164};
use reqwest::Method;
use serde::Serialize;

use super::AuthClient;
use crate::error::ClientError;

/// What auth says to a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordVerdict {
    /// It is the account's.
    Right,
    /// It is not, for whichever reason.
    Wrong,
    /// Too many wrong ones came before; they are looked at again after this time.
    Limited(Duration),
}

impl AuthClient {
    /// Asks whether a password is an account's. Not repeated: each call costs a password hash, and may cost a guess.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn sync_password(&self, password: &SyncPassword) -> Result<PasswordVerdict, ClientError> {
        let request = self.sync("password", password);
        let verdict: SyncVerdict = self.peer.json(self.peer.once(request).await?).await?;
        Ok(match verdict {
            SyncVerdict { right: true, .. } => PasswordVerdict::Right,
            SyncVerdict { retry_after: Some(seconds), .. } => {
                PasswordVerdict::Limited(Duration::from_secs(seconds))
            }
            SyncVerdict { .. } => PasswordVerdict::Wrong,
        })
    }

    /// Asks which account has verified a number.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn account_with_phone(&self, phone: &E164) -> Result<Option<AccountId>, ClientError> {
        let request = self.sync("phone", &SyncPhone { phone: phone.clone() });
        let user: SyncUser = self.peer.json(self.peer.repeat(request).await?).await?;
        Ok(user.account_id)
    }

    fn sync(&self, call: &str, body: &impl Serialize) -> reqwest::RequestBuilder {
        let url = self.peer.url(&["internal", "auth", "v1", "sync", call]);
        self.peer.request(Method::POST, url).json(body)
    }
}
