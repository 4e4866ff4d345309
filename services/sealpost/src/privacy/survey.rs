//! What the services say they have of an account.

use common::models::AccountId;
use common::models::privacy::{Holding, Holdings};
use futures_util::future::join_all;
use reqwest::Method;
use serde::Serialize;

use super::places::Place;

/// What a service has of the account: tables with rows, and those that may have some and are not counted.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Said {
    pub(super) service: &'static str,
    /// Why it could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    pub(super) tables: Vec<Holding>,
}

impl Said {
    /// Whether nothing is left there that has to go.
    pub(super) fn is_done(&self) -> bool {
        self.error.is_none() && !self.tables.iter().any(Holding::is_to_go)
    }

    /// Whether there is anything of it.
    pub(super) fn knows(&self) -> bool {
        self.tables.iter().any(|table| table.rows.is_some())
    }
}

/// Asks all services at once.
pub(super) async fn ask_all(places: &[Place<'_>], account: AccountId) -> Vec<Said> {
    join_all(places.iter().map(|place| ask(place, account))).await
}

async fn ask(Place { service, operator }: &Place<'_>, account: AccountId) -> Said {
    let path = ["internal", service, "v1", "privacy", "accounts", account.as_str(), "holdings"];
    match operator.call::<Holdings>(Method::GET, &path, &[], |request| request).await {
        Ok(Holdings { mut tables }) => {
            tables.retain(|table| table.rows != Some(0));
            Said { service, error: None, tables }
        }
        Err(error) => Said { service, error: Some(error.to_string()), tables: Vec::new() },
    }
}
