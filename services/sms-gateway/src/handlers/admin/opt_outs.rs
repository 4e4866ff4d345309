//! `/internal/sms-gateway/v1/opt-outs`: which recipients want no more messages of a client. Tables know them by keyed
//! hashes alone, so that they can be counted and asked for, and not listed.

use actix_web::web::{Data, Path};
use actix_web::{get, post};
use common::models::sms::ClientId;
use common::models::{E164, Problem, ProblemKind, UnixMillis};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Failure, Json};

use super::Operator;
use crate::pipeline::Gateway;
use crate::store::{AUDIT, StoreError, opt_outs};

/// A recipient.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipient {
    /// The number in full; in the body, as addresses are in logs.
    number: E164,
}

/// How many have opted out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Counted {
    /// Recipients.
    count: i64,
}

/// Whether a recipient has opted out.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Standing {
    /// Since when; none: not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    since: Option<UnixMillis>,
    /// Whether this request made it so.
    changed: bool,
    /// Whether a message of the client is under way that had left the queue before.
    under_way: bool,
}

/// What an operator does about a recipient.
#[derive(Clone, Copy)]
enum Wish {
    Find,
    Add,
    Remove,
}

/// Counts the recipients who want no more messages of a client.
#[utoipa::path(tag = "operators", params(("client" = String, Path)), responses(
    (status = 200, body = Counted),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`no-such-client`: it is not allowed to send"),
    (status = 503, body = Problem),
))]
#[get("/internal/sms-gateway/v1/opt-outs/{client}")]
pub(crate) async fn count(
    operator: Operator,
    gateway: Data<Gateway>,
    client: Path<String>,
) -> Result<Json<Counted>, Failure> {
    let client = known(&gateway, &client)?;
    let (act, now) = (operator.act("opt-outs.count", format!("client={client}")), gateway.now());
    let counting = gateway.db.write(move |conn| {
        AUDIT.add(conn, &act, now)?;
        opt_outs::count(conn, &client)
    });
    Ok(Json(Counted { count: counting.await? }))
}

/// Tells whether a recipient wants no more messages of a client.
#[utoipa::path(tag = "operators", params(("client" = String, Path)), request_body = Recipient, responses(
    (status = 200, body = Standing),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`no-such-client`: it is not allowed to send"),
    (status = 503, body = Problem),
))]
#[post("/internal/sms-gateway/v1/opt-outs/{client}/find")]
pub(crate) async fn find(
    operator: Operator,
    gateway: Data<Gateway>,
    client: Path<String>,
    recipient: Json<Recipient>,
) -> Result<Json<Standing>, Failure> {
    treat(operator, &gateway, &client, &recipient.number, Wish::Find).await
}

/// Notes that a recipient wants no more messages of a client, as a STOP from the handset does.
#[utoipa::path(tag = "operators", params(("client" = String, Path)), request_body = Recipient, responses(
    (status = 200, body = Standing),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`no-such-client`: it is not allowed to send"),
    (status = 503, body = Problem),
))]
#[post("/internal/sms-gateway/v1/opt-outs/{client}/add")]
pub(crate) async fn add(
    operator: Operator,
    gateway: Data<Gateway>,
    client: Path<String>,
    recipient: Json<Recipient>,
) -> Result<Json<Standing>, Failure> {
    treat(operator, &gateway, &client, &recipient.number, Wish::Add).await
}

/// Notes that a recipient wants messages of a client again, as a START from the handset does.
#[utoipa::path(tag = "operators", params(("client" = String, Path)), request_body = Recipient, responses(
    (status = 200, body = Standing),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`no-such-client`: it is not allowed to send"),
    (status = 503, body = Problem),
))]
#[post("/internal/sms-gateway/v1/opt-outs/{client}/remove")]
pub(crate) async fn remove(
    operator: Operator,
    gateway: Data<Gateway>,
    client: Path<String>,
    recipient: Json<Recipient>,
) -> Result<Json<Standing>, Failure> {
    treat(operator, &gateway, &client, &recipient.number, Wish::Remove).await
}

async fn treat(
    operator: Operator,
    gateway: &Gateway,
    client: &str,
    number: &E164,
    wish: Wish,
) -> Result<Json<Standing>, Failure> {
    let client = known(gateway, client)?;
    let action = match wish {
        Wish::Find => "opt-outs.find",
        Wish::Add => "opt-outs.add",
        Wish::Remove => "opt-outs.remove",
    };
    let act = operator.act(action, format!("client={client} number={}", number.masked()));
    let hash = gateway.recipients.hash(number.as_str());
    let recipient = hash.ok_or_else(|| Failure::invalid("number", "a number has digits other than 0"))?;
    let (pair, now) = ((client.clone(), recipient.clone()), gateway.now());
    let treating = gateway.db.write(move |conn| {
        AUDIT.add(conn, &act, now)?;
        let changed = match wish {
            Wish::Find => false,
            Wish::Add => opt_outs::put(conn, &client, &recipient, now)?,
            Wish::Remove => opt_outs::remove(conn, &client, &recipient)?,
        };
        Ok::<_, StoreError>((opt_outs::is_out(conn, &client, &recipient)?, changed))
    });
    let (since, changed) = treating.await?;
    // In a transaction of its own, behind the one that made it known.
    let pairs = [pair].into();
    let open = gateway.db.write(move |conn| opt_outs::under_way(conn, &pairs)).await?;
    Ok(Json(Standing { since, changed, under_way: !open.is_empty() }))
}

fn known(gateway: &Gateway, client: &str) -> Result<ClientId, Failure> {
    let known = gateway.settings.allowed_clients.iter().find(|known| known.as_str() == client);
    known.cloned().ok_or_else(|| {
        let problem = Problem::new(ProblemKind::NotFound("no-such-client"));
        Failure::problem(problem.with_detail("no client of that name is allowed to send"))
    })
}
