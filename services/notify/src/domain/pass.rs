//! By what a client is in a channel, and until when.

use common::models::{ChannelTokenId, UnixMillis};
use uuid::Uuid;
use web::Watch;

use crate::store::tokens::TokenRow;

/// By what a client is in a channel. There is one for each client and channel, so ids are octets.
pub(crate) enum Pass {
    /// A token of the channel; by when it was made, it is told from a later one of the same id.
    Token { id: [u8; 16], made_at: UnixMillis, expires_at: UnixMillis },
    /// An access token of the account whose channel it is.
    Access { watch: Box<Watch>, expires_at: UnixMillis },
}

impl Pass {
    /// The pass of a token.
    pub(crate) fn of(row: &TokenRow) -> Self {
        Self::Token { id: row.token_id.to_bytes(), made_at: row.created_at, expires_at: row.expires_at }
    }

    /// The id of a token by its octets.
    pub(crate) fn token_id(id: [u8; 16]) -> ChannelTokenId {
        Uuid::from_bytes(id).into()
    }
}
