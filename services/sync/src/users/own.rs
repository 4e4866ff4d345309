//! Our own accounts, which auth keeps.

use std::net::IpAddr;

use async_trait::async_trait;
use clients::{AuthClient, PasswordVerdict};
use common::crypto::Secret;
use common::models::sync::SyncPassword;
use common::models::{AccountId, E164};
use serde_json::Value;

use super::{Pass, UserApi, UserApiError};
use crate::domain::UserId;
use crate::settings::PlatformSettings;

/// The accounts of auth. Their users have all platforms of the settings.
pub(crate) struct Own {
    auth: AuthClient,
    platforms: Vec<Value>,
    /// Whether a session is started by a login, with its second factor.
    second_factor_shown: bool,
}

impl Own {
    /// Makes it. `base` goes before logos that are no URLs.
    pub(crate) fn new(
        auth: AuthClient,
        platforms: &[PlatformSettings],
        base: &str,
        second_factor_shown: bool,
    ) -> Self {
        // Plain fields always have a form in JSON.
        let platforms = platforms.iter().filter_map(|platform| serde_json::to_value(platform).ok());
        let platforms = platforms.map(|platform| with_logo(platform, base)).collect();
        Self { auth, platforms, second_factor_shown }
    }
}

#[async_trait]
impl UserApi for Own {
    async fn verify(
        &self,
        user: &UserId,
        password: &Secret<String>,
        network: IpAddr,
    ) -> Result<Pass, UserApiError> {
        let account_id = account(user).ok_or(UserApiError::Refused)?;
        let password = SyncPassword {
            account_id,
            password: password.clone(),
            second_factor_shown: self.second_factor_shown,
            network,
        };
        match self.auth.sync_password(&password).await? {
            PasswordVerdict::Right => Ok(Pass::default()),
            PasswordVerdict::Wrong => Err(UserApiError::Refused),
            PasswordVerdict::Limited(retry_after) => Err(UserApiError::TooManyGuesses { retry_after }),
        }
    }

    async fn platforms(&self, _: &UserId, _: &Pass) -> Result<Vec<Value>, UserApiError> {
        Ok(self.platforms.clone())
    }

    async fn with_phone(&self, phone: &E164) -> Result<Option<UserId>, UserApiError> {
        let account = self.auth.account_with_phone(phone).await?;
        Ok(account.and_then(|account| account.as_str().parse().ok()))
    }
}

/// The account with this id, which has one form.
fn account(user: &UserId) -> Option<AccountId> {
    user.as_str().parse::<AccountId>().ok().filter(|account| account.as_str() == user.as_str())
}

/// Puts a base URL before a logo that is no URL itself.
pub(super) fn with_logo(mut platform: Value, base: &str) -> Value {
    if let Some(Value::String(logo)) = platform.get_mut("logo")
        && !logo.is_empty()
        && !logo.contains("://")
    {
        *logo = format!("{}/{}", base.trim_end_matches('/'), logo.trim_start_matches('/'));
    }
    platform
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_logo_becomes_a_url() {
        for (logo, expected) in [
            ("/logos/gmail.png", "https://users.example/api/logos/gmail.png"),
            ("gmail.png", "https://users.example/api/gmail.png"),
            ("https://elsewhere.example/gmail.png", "https://elsewhere.example/gmail.png"),
            ("", ""),
        ] {
            let platform = with_logo(json!({"logo": logo}), "https://users.example/api/");
            assert_eq!(platform, json!({"logo": expected}));
        }
        assert_eq!(with_logo(json!({"name": "gmail"}), "x"), json!({"name": "gmail"}));
        assert_eq!(with_logo(json!("gmail"), "x"), json!("gmail"));
    }

    #[test]
    fn an_account_is_named_in_its_one_form() {
        let id = AccountId::new();

        assert_eq!(account(&id.as_str().parse().unwrap()), Some(id));
        for text in [id.as_str().to_uppercase(), "alice".to_owned()] {
            assert_eq!(account(&text.parse().unwrap()), None, "{text}");
        }
    }
}
