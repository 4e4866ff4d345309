//! What operators want of a bind.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether messages may go out through an SMSC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Order {
    /// As the settings say.
    #[default]
    Open,
    /// Nothing new is submitted; the bind stays, for responses and receipts.
    Paused,
    /// Nothing new is submitted; once what is under way has been answered, the bind ends and stays away. A provider over
    /// HTTP has none: it is only paused.
    Drained,
}

impl Order {
    /// Gives the word used in tables.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paused => "paused",
            Self::Drained => "drained",
        }
    }
}

/// A word that names no order.
#[derive(Debug, thiserror::Error)]
#[error("no order is called {0:?}")]
pub(crate) struct UnknownOrder(String);

impl FromStr for Order {
    type Err = UnknownOrder;

    fn from_str(word: &str) -> Result<Self, UnknownOrder> {
        [Self::Open, Self::Paused, Self::Drained]
            .into_iter()
            .find(|order| order.as_str() == word)
            .ok_or_else(|| UnknownOrder(word.to_owned()))
    }
}
