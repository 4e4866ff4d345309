//! Bodies and queries of our own interface.

use std::collections::BTreeMap;

use common::models::gateway::{OperatorKey, SeedKind};
use common::models::{E164, GatewayClientId, UnixMillis};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::store::clients::ClientRow;

/// Which part of the list of clients.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ClientsQuery {
    /// Only clients made after this one.
    pub(crate) after: Option<GatewayClientId>,
    /// Most clients, 1 to 500.
    #[serde(default = "page")]
    pub(crate) limit: u16,
}

fn page() -> u16 {
    100
}

/// A part of the list of clients, in the order in which they were made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClientsAnswer {
    /// Clients that are not revoked.
    pub(crate) clients: Vec<ClientView>,
}

/// A client, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClientView {
    client_id: GatewayClientId,
    label: Option<String>,
    kind: SeedKind,
    msisdn: Option<E164>,
    /// Where the number is from.
    country: Option<String>,
    operator: Option<String>,
    /// MCC and MNC.
    operator_code: Option<String>,
    /// The operators whose SMS it sends.
    operators: Vec<OperatorKey>,
    protocols: Vec<String>,
    created_at: UnixMillis,
    /// When it last handed in an SMS.
    last_published_at: Option<UnixMillis>,
    /// Until when the secret before its present one is taken.
    previous_until: Option<UnixMillis>,
}

/// The operators of many clients.
pub(crate) type OperatorsOf = BTreeMap<GatewayClientId, Vec<OperatorKey>>;

impl ClientView {
    pub(crate) fn new(row: ClientRow, operators: &mut OperatorsOf, now: UnixMillis) -> Self {
        Self {
            operators: operators.remove(&row.client_id).unwrap_or_default(),
            protocols: row.protocols.split(',').map(str::to_owned).collect(),
            client_id: row.client_id,
            label: row.label,
            kind: row.kind,
            msisdn: row.msisdn,
            country: row.country,
            operator: row.operator,
            operator_code: row.operator_code,
            created_at: row.created_at,
            last_published_at: row.last_published_at,
            previous_until: row.previous_until.filter(|until| *until > now),
        }
    }
}
