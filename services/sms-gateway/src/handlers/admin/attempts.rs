//! `/internal/sms-gateway/v1/attempts` and `…/unknown`: what became of messages, without what they say and to whom.

use actix_web::get;
use actix_web::web::{Data, Query};
use common::models::sms::{ClientId, CorrelId, SmsStatus};
use common::models::{Problem, UnixMillis};
use serde::{Deserialize, Serialize};
use service::operators::masked;
use utoipa::{IntoParams, ToSchema};
use web::{Failure, Json};

use super::Operator;
use crate::domain::trace;
use crate::pipeline::Gateway;
use crate::store::lookups::{self, LookRow};
use crate::store::rows::PartRow;
use crate::store::{AUDIT, StoreError};

/// Attempts of one page at most, and if nothing is said.
const MOST: i64 = 500;
const USUAL: i64 = 100;

/// Which message.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// The client.
    client: String,
    /// Its own id of the request.
    correl_id: String,
}

/// Which page of unknown outcomes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// Of this client alone.
    client: Option<String>,
    /// Behind this one: `next` of the page before.
    #[serde(default)]
    after: String,
    /// Attempts of one page: 1 to 500, 100 if not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i64>,
}

/// An attempt to send a message.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AttemptView {
    /// The client.
    client_id: String,
    /// Its own id of the request.
    correl_id: String,
    /// The gateway's id.
    id: String,
    /// By which log lines, records and webhooks tell of it.
    trace_id: String,
    /// `queued`, `submitting`, `unknown`, `sent`, `looping`, or how it ended.
    state: String,
    /// `bulk`, `otp` or `alert`.
    class: String,
    /// Through which SMSC it went last.
    #[serde(skip_serializing_if = "Option::is_none")]
    smsc: Option<String>,
    /// How many segments it has; 0 before the first try.
    segments: i32,
    /// How often it was tried.
    tries: i32,
    /// How often it was sent anew after an unknown outcome.
    resends: i32,
    /// Whether the recipient may get it twice.
    possible_duplicate: bool,
    /// When it is too late to send.
    #[schema(value_type = i64)]
    deadline: UnixMillis,
    /// When it is looked at next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    due_at: Option<UnixMillis>,
    #[schema(value_type = i64)]
    created_at: UnixMillis,
    #[schema(value_type = i64)]
    updated_at: UnixMillis,
}

impl From<LookRow> for AttemptView {
    fn from(row: LookRow) -> Self {
        Self {
            client_id: row.client_id.to_string(),
            correl_id: row.correl_id.to_string(),
            trace_id: trace::of_job(&row.id, row.traceparent.as_deref()).trace_id(),
            id: row.id.to_string(),
            state: row.state,
            class: row.class,
            smsc: row.smsc.map(|smsc| smsc.to_string()),
            segments: row.segments,
            tries: row.tries,
            resends: row.resends,
            possible_duplicate: row.possible_duplicate,
            deadline: row.deadline,
            due_at: row.due_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A segment of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PartView {
    /// Its number, from 1.
    part: i32,
    /// Where it went.
    smsc: String,
    /// `queued`, `submitting`, `accepted`, `refused` or `unknown`.
    state: String,
    /// The SMSC's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    /// The command_status of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<i64>,
    /// What its receipt says.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<String>,
    #[schema(value_type = i64)]
    updated_at: UnixMillis,
}

impl From<PartRow> for PartView {
    fn from(row: PartRow) -> Self {
        Self {
            part: row.part,
            smsc: row.smsc.to_string(),
            state: row.state,
            message_id: row.message_id,
            refusal: row.refusal,
            receipt: row.receipt,
            updated_at: row.updated_at,
        }
    }
}

/// An attempt with its segments.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WholeAttempt {
    #[serde(flatten)]
    attempt: AttemptView,
    parts: Vec<PartView>,
}

/// Everything under an id.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Found {
    /// The first one first.
    attempts: Vec<WholeAttempt>,
    /// What was published.
    statuses: Vec<SmsStatus>,
}

/// A page of unknown outcomes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UnknownPage {
    /// In the order of their arrival.
    attempts: Vec<AttemptView>,
    /// The `after` of the next page; none behind the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Looks a message up by the client's id.
#[utoipa::path(tag = "operators", params(Which), responses(
    (status = 200, body = Found, description = "empty lists when nothing is (still) known of it"),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[get("/internal/sms-gateway/v1/attempts")]
pub(crate) async fn find(
    operator: Operator,
    gateway: Data<Gateway>,
    which: Query<Which>,
) -> Result<Json<Found>, Failure> {
    let Which { client, correl_id } = which.into_inner();
    let act = operator.act("attempts.find", format!("client={client} correl-id={}", masked(&correl_id)));
    let (client, correl, now) =
        (ClientId::from(client.as_str()), CorrelId::from(correl_id.as_str()), gateway.now());
    let looking = gateway.db.write(move |conn| {
        AUDIT.add(conn, &act, now)?;
        let mut attempts = Vec::new();
        for attempt in lookups::attempts(conn, &client, &correl)? {
            let parts = lookups::parts(conn, &attempt)?.into_iter().map(PartView::from).collect();
            attempts.push(WholeAttempt { attempt: attempt.into(), parts });
        }
        let statuses = lookups::statuses(conn, &client, &correl)?.iter().map(SmsStatus::from).collect();
        Ok::<_, StoreError>(Found { attempts, statuses })
    });
    Ok(Json(looking.await?))
}

/// Lists messages of which nobody knows whether they were sent.
#[utoipa::path(tag = "operators", params(Page), responses(
    (status = 200, body = UnknownPage),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[get("/internal/sms-gateway/v1/unknown")]
pub(crate) async fn unknown(
    operator: Operator,
    gateway: Data<Gateway>,
    page: Query<Page>,
) -> Result<Json<UnknownPage>, Failure> {
    let Page { client, after, limit } = page.into_inner();
    let limit = limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(Failure::invalid("limit", "expected 1 to 500"));
    }
    let of = client.as_deref().map_or_else(|| "all clients".to_owned(), |client| format!("client={client}"));
    let (act, now) = (operator.act("unknown.list", of), gateway.now());
    let looking = gateway.db.write(move |conn| {
        AUDIT.add(conn, &act, now)?;
        lookups::unknown(conn, client.as_deref().map(ClientId::from).as_ref(), &after, limit)
    });
    let attempts: Vec<AttemptView> = looking.await?.into_iter().map(AttemptView::from).collect();
    let full = i64::try_from(attempts.len()).is_ok_and(|count| count == limit);
    let next = attempts.last().filter(|_| full).map(|last| last.id.clone());
    Ok(Json(UnknownPage { attempts, next }))
}
