//! Who keeps the accounts: our own auth, or the user-management API of an installation that has one.

mod external;
mod own;

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use clients::ClientError;
use common::crypto::Secret;
use common::models::E164;
use serde_json::Value;

pub(crate) use self::external::External;
pub(crate) use self::own::Own;
use crate::domain::UserId;

/// What is asked of the one who keeps the accounts.
#[async_trait]
pub(crate) trait UserApi: Send + Sync {
    /// Checks a user's password. `network` stands for the client when its requests are counted.
    ///
    /// # Errors
    /// [`UserApiError::Refused`] whatever is wrong, [`UserApiError::TooManyGuesses`].
    async fn verify(
        &self,
        user: &UserId,
        password: &Secret<String>,
        network: IpAddr,
    ) -> Result<Pass, UserApiError>;

    /// Lists the platforms that the user has stored: objects with `name`, `description`, `logo`, `initialization_url`,
    /// `type` and `letter`.
    ///
    /// # Errors
    /// [`UserApiError::Unavailable`], [`UserApiError::BadAnswer`].
    async fn platforms(&self, user: &UserId, pass: &Pass) -> Result<Vec<Value>, UserApiError>;

    /// Finds the user with a phone number.
    ///
    /// # Errors
    /// [`UserApiError::Unavailable`], [`UserApiError::BadAnswer`].
    async fn with_phone(&self, phone: &E164) -> Result<Option<UserId>, UserApiError>;
}

/// What shows that a password was verified a moment ago: the cookie of an API that gives one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pass(Option<Secret<String>>);

/// Accounts could not be asked, or said no.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UserApiError {
    /// A wrong password, or no such user.
    #[error("refused")]
    Refused,
    /// Too many wrong passwords came before.
    #[error("too many wrong passwords")]
    TooManyGuesses {
        /// After which they are looked at again.
        retry_after: Duration,
    },
    /// auth cannot be asked.
    #[error(transparent)]
    Auth(#[from] ClientError),
    /// The API cannot be reached, or gives no answer in time.
    #[error("the user API cannot be reached")]
    Unavailable(#[source] reqwest::Error),
    /// Its answer is not what its documents say.
    #[error("the user API gave an answer that cannot be understood: {0}")]
    BadAnswer(String),
}
