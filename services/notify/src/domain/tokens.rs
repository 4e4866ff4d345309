//! Tokens of channels: making, listing and revoking them.
//!
//! ChannelAPI has one token for each channel, which is the same each time it is asked for while it lives. It is derived,
//! by HMAC-SHA-256 under a key of the settings, from the channel and a random generation that is stored beside its hash:
//! no table has anything in it that opens a channel. The native interface makes tokens for single devices.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::crypto::token::{HashedToken, PlainToken, random};
use common::models::{ChannelTokenId, UnixMillis};
use db::DbError;
use ring::hmac;

use super::channel_name::ChannelName;
use super::error::NotifyError;
use crate::app::State;
use crate::delivery::pods;
use crate::settings::Scope;
use crate::store::tokens::{self, TokenRow};

/// The id of the token that ChannelAPI hands out, in every channel.
const SHARED: &str = "00000000-0000-0000-0000-000000000000";

/// Gives the id of the token that ChannelAPI hands out.
pub(crate) fn shared_id() -> ChannelTokenId {
    // A constant in the form of an id.
    SHARED.parse().unwrap_or_else(|_| ChannelTokenId::new())
}

/// Derives the token of a channel.
fn derive(key: &str, channel: &ChannelName, generation: &[u8]) -> Result<PlainToken, NotifyError> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(b"channel-token\0");
    context.update(generation);
    context.update(channel.as_str().as_bytes());
    let text = URL_SAFE_NO_PAD.encode(context.sign());
    text.parse().map_err(|error| DbError::other(error).into())
}

/// Gives the token of a channel; makes it when there is none that lives.
///
/// # Errors
/// Those of the database.
pub(crate) async fn shared(
    state: &State,
    scope: &Scope,
    channel: ChannelName,
) -> Result<PlainToken, NotifyError> {
    let key = state.settings.token_key.expose();
    let generation = random::<32>().map_err(DbError::other)?;
    let candidate = derive(key, &channel, &generation)?;
    let now = state.clock.now();
    let row = TokenRow {
        channel: channel.as_str().to_owned(),
        token_id: shared_id(),
        token_hash: candidate.hashed(),
        generation: Some(generation.to_vec()),
        label: None,
        member: None,
        issued_by: scope.name.to_string(),
        created_at: now,
        lifetime_ms: millis(state.settings.token_ttl),
        expires_at: now + state.settings.token_ttl,
        used_at: None,
    };
    let kept = state.registrar.share(row.clone()).await?;
    let token = derive(key, &channel, kept.generation.as_deref().unwrap_or_default())?;
    if token.hashed() == kept.token_hash {
        return Ok(token);
    }
    // It was made under another key of the settings, and nobody can tell it any more.
    revoke(state, &channel, Some(shared_id())).await?;
    state.registrar.share(row).await?;
    Ok(candidate)
}

/// What a token for one device shall be like.
#[derive(Debug)]
pub(crate) struct TokenRequest {
    pub(crate) channel: ChannelName,
    /// What it is called; for people.
    pub(crate) label: Option<String>,
    /// Who is present while a client with it is in the channel.
    pub(crate) member: Option<String>,
    /// How long it lives; as long as possible when not given.
    pub(crate) life: Option<Duration>,
}

/// Makes a token for one device.
///
/// # Errors
/// [`NotifyError::TokenLife`], [`NotifyError::TooManyTokens`], those of the database.
pub(crate) async fn issue(
    state: &State,
    scope: &Scope,
    request: TokenRequest,
) -> Result<(PlainToken, TokenRow), NotifyError> {
    let most = state.settings.device_token_ttl;
    let life = request.life.unwrap_or(most);
    if life < Duration::from_secs(1) || life > most {
        return Err(NotifyError::TokenLife { limit: most.as_secs() });
    }
    let token = PlainToken::generate().map_err(DbError::other)?;
    let now = state.clock.now();
    let row = TokenRow {
        channel: request.channel.as_str().to_owned(),
        token_id: ChannelTokenId::new(),
        token_hash: token.hashed(),
        generation: None,
        label: request.label,
        member: request.member,
        issued_by: scope.name.to_string(),
        created_at: now,
        lifetime_ms: 0,
        expires_at: now + life,
        used_at: None,
    };
    state.registrar.issue(row.clone(), state.settings.max_tokens).await?;
    Ok((token, row))
}

/// The tokens of a channel that live.
///
/// # Errors
/// Those of the database.
pub(crate) async fn list(state: &State, channel: ChannelName) -> Result<Vec<TokenRow>, NotifyError> {
    let now = state.clock.now();
    Ok(state.db.read(move |conn| tokens::of_channel(conn, &channel, now)).await?)
}

/// Revokes a token, or all of a channel: whoever came in with it is put out, at whatever process. Returns how many there
/// were.
///
/// # Errors
/// Those of the database.
pub(crate) async fn revoke(
    state: &State,
    channel: &ChannelName,
    id: Option<ChannelTokenId>,
) -> Result<usize, NotifyError> {
    let (state, channel) = (state.clone(), channel.clone());
    // A task of its own: a caller that hangs up must not keep anybody in a channel whose token is gone.
    let revoking = tokio::spawn(async move {
        let name = channel.clone();
        let removed = state.db.write(move |conn| tokens::remove(conn, &name, id)).await?;
        state.hub.revoked(&channel, id);
        pods::tell_revoked(&state.live, &channel, id);
        Ok::<_, NotifyError>(removed)
    });
    revoking.await.map_err(DbError::other)?
}

/// Milliseconds, as columns have them.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Until when a token lives that is used now.
pub(super) fn renewed(row: &TokenRow, now: UnixMillis) -> UnixMillis {
    row.expires_at.max(now + row.lifetime())
}

/// Reads the text of a token, in the forms that tokens have.
pub(crate) fn hash(token: &str) -> Option<HashedToken> {
    token.parse::<PlainToken>().ok().map(|token| token.hashed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_follows_from_key_channel_and_generation() {
        let channel = |name: &str| ChannelName::parse(name, 255).unwrap();
        let token = |key: &str, name: &str, generation: &[u8]| {
            derive(key, &channel(name), generation).unwrap().expose().to_owned()
        };
        let first = token("key", "a", &[1; 32]);

        assert_eq!(first, token("key", "a", &[1; 32]));
        assert_eq!(first.len(), 43);
        for other in [token("other", "a", &[1; 32]), token("key", "b", &[1; 32]), token("key", "a", &[2; 32])]
        {
            assert_ne!(first, other);
        }
    }
}
