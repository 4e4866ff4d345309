//! What a client carries: access tokens, which every service verifies by itself, and tokens that only we know.

use std::sync::Arc;
use std::time::Duration;

use common::crypto::jws::{self, Claims, SignalServerClaims, SigningKey};
use common::crypto::secret::Secret;
use common::crypto::token::{HashedToken, NoRandomness, PlainToken};
use common::models::{AccountId, DeviceId, SessionId, UnixMillis};

use super::AuthError;
use crate::store::signal_server::UserRow;

/// Makes access tokens.
#[derive(Debug, Clone)]
pub(crate) struct TokenIssuer {
    key: Arc<SigningKey>,
    ttl: Duration,
    signal_server_ttl: Duration,
}

impl TokenIssuer {
    pub(crate) fn new(key: Arc<SigningKey>, ttl: Duration, signal_server_ttl: Duration) -> Self {
        Self { key, ttl, signal_server_ttl }
    }

    /// How long an access token of our own interface lives.
    pub(crate) fn ttl(&self) -> Duration {
        self.ttl
    }

    /// How long a token of signal_server lives.
    pub(crate) fn signal_server_ttl(&self) -> Duration {
        self.signal_server_ttl
    }

    /// How long a token of either kind may live, and so how long its revocation must be remembered.
    pub(crate) fn longest_ttl(&self) -> Duration {
        self.ttl.max(self.signal_server_ttl)
    }

    pub(crate) fn issue(
        &self,
        account: AccountId,
        session: SessionId,
        device: Option<DeviceId>,
        now: UnixMillis,
    ) -> Secret<String> {
        let claims = Claims {
            sub: account,
            sid: session,
            did: device,
            iat: now.as_secs(),
            exp: (now + self.ttl).as_secs(),
        };
        Secret::new(jws::sign(&self.key, &claims))
    }

    /// Makes a token of signal_server.
    pub(crate) fn issue_signal_server(
        &self,
        user: UserRow,
        session: SessionId,
        now: UnixMillis,
    ) -> Secret<String> {
        let claims = SignalServerClaims {
            user_id: user.user_id,
            username: user.username,
            email: user.email,
            exp: (now + self.signal_server_ttl).as_secs(),
            iat: now.as_secs(),
            sub: user.account_id,
            sid: session,
        };
        Secret::new(jws::sign(&self.key, &claims))
    }
}

/// A token that is looked up: the account it belongs to, so that one shard of the tables can answer for it, and 32
/// random bytes. For refreshes, for logins that wait for a second factor, and for devices that are let in.
#[derive(Debug, Clone)]
pub(crate) struct AccountToken {
    pub(crate) account: AccountId,
    pub(crate) secret: PlainToken,
}

impl AccountToken {
    pub(crate) fn generate(account: AccountId) -> Result<Self, NoRandomness> {
        Ok(Self { account, secret: PlainToken::generate()? })
    }

    /// Reads what a client sent; anything else is a bad credential, not a malformed request.
    pub(crate) fn parse(text: &str) -> Result<Self, AuthError> {
        let (account, secret) = text.split_once('.').ok_or(AuthError::BadCredentials)?;
        Ok(Self {
            account: account.parse().map_err(|_| AuthError::BadCredentials)?,
            secret: secret.parse().map_err(|_| AuthError::BadCredentials)?,
        })
    }

    /// The SHA-256 of the whole text: names the token to whoever knows it, and to nobody else.
    pub(crate) fn id(&self) -> HashedToken {
        HashedToken::of(self.to_text().expose())
    }

    pub(crate) fn to_text(&self) -> Secret<String> {
        Secret::new(format!("{}.{}", self.account, self.secret.expose()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_as_it_went() {
        let token = AccountToken::generate(AccountId::new()).unwrap();

        let again = AccountToken::parse(token.to_text().expose()).unwrap();

        assert_eq!((again.account, again.secret.hashed()), (token.account, token.secret.hashed()));
        assert!(!format!("{token:?}").contains(token.secret.expose()));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_panic(text: String, account in "[0-9a-f-]{0,40}", secret in "[A-Za-z0-9_-]{0,50}") {
            for text in [text, format!("{account}.{secret}")] {
                if let Ok(token) = AccountToken::parse(&text) {
                    let (account, secret) = text.split_once('.').unwrap();
                    let same = format!("{}.{secret}", account.to_ascii_lowercase());
                    proptest::prop_assert!(*token.to_text().expose() == same);
                }
            }
        }
    }

    #[test]
    fn other_text_is_a_bad_credential() {
        for text in ["", ".", "abc", "00000000-0000-4000-8000-000000000000.abc"] {
            assert!(matches!(AccountToken::parse(text), Err(AuthError::BadCredentials)), "{text}");
        }
    }
}
