//! Calls for the interface of Woosh.

use std::time::Duration;

use common::models::AccountId;
use common::models::woosh::{WooshAccounts, WooshCredentials, WooshFound, WooshName, WooshNames};
use reqwest::Method;
use serde::Serialize;

use super::AuthClient;
use crate::error::ClientError;

/// What auth says to credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WooshCaller {
    /// They are this account's.
    Known(AccountId),
    /// They are nobody's, for whichever reason.
    Unknown,
    /// Too many wrong ones came before; they are looked at again after this time.
    Limited(Duration),
}

impl AuthClient {
    /// Asks whose name and password these are. Not repeated: each call may cost a password hash.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn woosh_caller(&self, credentials: &WooshCredentials) -> Result<WooshCaller, ClientError> {
        let request = self.woosh("credentials", credentials);
        let found: WooshFound = self.peer.json(self.peer.once(request).await?).await?;
        Ok(match found {
            WooshFound { account_id: Some(account), .. } => WooshCaller::Known(account),
            WooshFound { retry_after: Some(seconds), .. } => {
                WooshCaller::Limited(Duration::from_secs(seconds))
            }
            WooshFound { .. } => WooshCaller::Unknown,
        })
    }

    /// Asks who has this name, exactly.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn woosh_account(&self, username: &str) -> Result<Option<AccountId>, ClientError> {
        let request = self.woosh("accounts", &WooshName { username: username.to_owned() });
        let found: WooshFound = self.peer.json(self.peer.repeat(request).await?).await?;
        Ok(found.account_id)
    }

    /// Asks for the names of accounts, 100 at most; those that do not exist any more have none.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn woosh_names(&self, account_ids: Vec<AccountId>) -> Result<WooshNames, ClientError> {
        let request = self.woosh("names", &WooshAccounts { account_ids });
        self.peer.json(self.peer.repeat(request).await?).await
    }

    fn woosh(&self, call: &str, body: &impl Serialize) -> reqwest::RequestBuilder {
        let url = self.peer.url(&["internal", "auth", "v1", "woosh", call]);
        self.peer.request(Method::POST, url).json(body)
    }
}
