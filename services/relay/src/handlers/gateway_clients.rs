//! `/v1/gateway-clients`: operators put clients up and take them down.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, delete, get, post};
use common::models::gateway::{GatewayCredentials, NewGatewayClient};
use common::models::{GatewayClientId, Problem};
use web::{Failure, Json};

use super::bodies::{ClientView, ClientsAnswer, ClientsQuery, OperatorsOf};
use super::operator::Operator;
use crate::app::State;
use crate::domain::{RelayError, clients};
use crate::store;

/// Longest label, in characters.
const MAX_LABEL: usize = 128;

/// Most operators of one client, and most protocols.
const MAX_LIST: usize = 16;

/// Clients of one page at most.
const MAX_PAGE: u16 = 500;

/// Makes a gateway client. The secret is shown this once.
#[utoipa::path(tag = "gateway-clients", request_body = NewGatewayClient, responses(
    (status = 201, body = GatewayCredentials),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 422, body = Problem, description = "`too-many-gateway-clients`"),
    (status = 429, body = Problem),
    (status = 503, body = Problem),
), security(("apiKey" = [])))]
#[post("/v1/gateway-clients")]
pub(crate) async fn register(
    state: Data<State>,
    operator: Operator,
    body: Json<NewGatewayClient>,
) -> Result<HttpResponse, Failure> {
    let wanted = body.into_inner();
    check(&wanted)?;
    let made = clients::register(&state, wanted, |id| {
        operator.act("gateway-clients.register", format!("client={id}"))
    })
    .await?;
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(made))
}

fn check(wanted: &NewGatewayClient) -> Result<(), Failure> {
    let label = wanted.label.as_deref().unwrap_or_default();
    if label.chars().count() > MAX_LABEL || label.chars().any(char::is_control) {
        return Err(Failure::invalid(
            "/label",
            "expected up to 128 characters, none of them a control character",
        ));
    }
    if wanted.operators.as_ref().is_some_and(|operators| operators.len() > MAX_LIST) {
        return Err(Failure::invalid("/operators", "expected 16 at most"));
    }
    let is_protocol = |text: &String| {
        (1..=16).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_lowercase())
    };
    let protocols = wanted.protocols.as_deref();
    if protocols.is_some_and(|all| !(1..=MAX_LIST).contains(&all.len()) || !all.iter().all(is_protocol)) {
        return Err(Failure::invalid("/protocols", "expected 1 to 16 names in lower case"));
    }
    Ok(())
}

/// Lists gateway clients, without their secrets.
#[utoipa::path(tag = "gateway-clients", params(ClientsQuery), responses(
    (status = 200, body = ClientsAnswer),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 429, body = Problem),
    (status = 503, body = Problem),
), security(("apiKey" = [])))]
#[get("/v1/gateway-clients")]
pub(crate) async fn list(
    state: Data<State>,
    _operator: Operator,
    query: Query<ClientsQuery>,
) -> Result<Json<ClientsAnswer>, Failure> {
    let ClientsQuery { after, limit } = query.into_inner();
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Failure::invalid("limit", "expected 1 to 500"));
    }
    let read = state.db.read(move |conn| {
        let rows = store::clients::page(conn, after, i64::from(limit))?;
        let ids: Vec<GatewayClientId> = rows.iter().map(|row| row.client_id).collect();
        Ok::<_, RelayError>((store::clients::operators(conn, &ids)?, rows))
    });
    let (operators, rows) = read.await?;
    let mut of = OperatorsOf::new();
    for (client, operator) in operators {
        of.entry(client).or_default().push(operator);
    }
    let now = state.clock.now();
    let clients = rows.into_iter().map(|row| ClientView::new(row, &mut of, now)).collect();
    Ok(Json(ClientsAnswer { clients }))
}

/// Gives a client another secret, shown this once. The one before is void at once, or after `relay.rotation_grace`.
#[utoipa::path(tag = "gateway-clients",
    params(("id" = GatewayClientId, Path, description = "the id of the client")),
    responses(
        (status = 200, body = GatewayCredentials),
        (status = 400, body = Problem),
        (status = 401, body = Problem),
        (status = 404, body = Problem, description = "`gateway-client-not-found`"),
        (status = 429, body = Problem),
        (status = 503, body = Problem),
    ), security(("apiKey" = [])))]
#[post("/v1/gateway-clients/{id}/rotate")]
pub(crate) async fn rotate(
    state: Data<State>,
    operator: Operator,
    id: Path<GatewayClientId>,
) -> Result<HttpResponse, Failure> {
    let act = operator.act("gateway-clients.rotate", format!("client={id}"));
    let made = clients::rotate(&state, *id, act).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(made))
}

/// Revokes a client. Its queues are taken down once they are empty; nothing new gets into them.
#[utoipa::path(tag = "gateway-clients",
    params(("id" = GatewayClientId, Path, description = "the id of the client")),
    responses(
        (status = 204),
        (status = 400, body = Problem),
        (status = 401, body = Problem),
        (status = 404, body = Problem, description = "`gateway-client-not-found`"),
        (status = 429, body = Problem),
        (status = 503, body = Problem),
    ), security(("apiKey" = [])))]
#[delete("/v1/gateway-clients/{id}")]
pub(crate) async fn revoke(
    state: Data<State>,
    operator: Operator,
    id: Path<GatewayClientId>,
) -> Result<HttpResponse, Failure> {
    let act = operator.act("gateway-clients.revoke", format!("client={id}"));
    clients::revoke(&state, *id, act).await?;
    Ok(HttpResponse::NoContent().finish())
}
