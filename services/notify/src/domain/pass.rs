//! By what a client is in a channel, and until when.

use common::models::{ChannelTokenId, UnixMillis};
use uuid::Uuid;
use web::Watch;

use crate::store::tokens::TokenRow;

/// By what a client is in a channel. There is one for each client and channel, so ids are octets.
pub(crate) enum Pass {
    /// A token of the channel.
    Token { token: [u8; 16], expires_at: UnixMillis },
    /// An access token of the account whose channel it is.
    Access { watch: Box<Watch>, expires_at: UnixMillis },
}

impl Pass {
    /// The pass of a token.
    pub(crate) fn of(row: &TokenRow) -> Self {
        Self::Token { token: row.token_id.to_bytes(), expires_at: row.expires_at }
    }

    /// The id of a token by its octets.
    pub(crate) fn token_id(token: [u8; 16]) -> ChannelTokenId {
        Uuid::from_bytes(token).into()
    }
}
