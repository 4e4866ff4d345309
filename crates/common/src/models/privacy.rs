//! What a service holds of one account, for operators who answer a request for access or erasure: bodies of
//! `/internal/<service>/v1/privacy/accounts/{account}`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::UnixMillis;

/// Answer of `GET …/holdings`: every table that can have rows of an account, those without one included.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holdings {
    /// In no order that matters.
    pub tables: Vec<Holding>,
}

/// What a table has of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holding {
    /// The table.
    pub table: String,
    /// Its rows of the account; none where only a walk over the whole table could tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<i64>,
    /// Why they stay when the account is erased; none: they go with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stays: Option<String>,
    /// When the last of them goes by itself, at the latest; none: never, or with the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UnixMillis>,
    /// Whether rows are handed out; not if they are secrets alone.
    #[serde(default)]
    pub shown: bool,
}

impl Holding {
    /// Whether these are rows that an erasure has to remove.
    #[must_use]
    pub fn is_to_go(&self) -> bool {
        self.stays.is_none() && self.rows.is_some_and(|rows| rows > 0)
    }
}

/// Answer of `DELETE /internal/auth/v1/privacy/accounts/{account}`: it is deleted, and all services are told once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Erased {
    /// When it was deleted, now or before.
    pub deleted_at: UnixMillis,
    /// Whether there was one to delete: not if it was deleted before, or never was.
    pub existed: bool,
}

/// Answer of `GET …/rows/{table}`: what a table has of an account, as it is stored, without secrets; octets in base64.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rows {
    /// Objects of columns and values.
    pub rows: Vec<Value>,
    /// What to ask for with `after` to get the rest; none: that was all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
