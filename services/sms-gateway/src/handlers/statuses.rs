//! `GET /v1/sms/status`: a client's statuses, by long poll or as an event stream.

use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, get};
use common::models::Problem;
use common::models::sms::{ClientId, SmsStatus};
use db::DbConn;
use serde::Serialize;
use utoipa::ToSchema;
use web::{Failure, Shutdown};

use super::feed::{self, Answer, Feed, Reading};
use super::key::KeyCaller;
use crate::pipeline::Gateway;
use crate::store::StoreError;
use crate::store::rows::StatusRow;
use crate::store::statuses;

/// A status with its number.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NumberedStatus {
    /// Number among the client's statuses, growing by one.
    seq: i64,
    /// The status as on the bus.
    #[serde(flatten)]
    status: SmsStatus,
}

/// Statuses in order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatusPage {
    /// What there is behind `after`.
    statuses: Vec<NumberedStatus>,
    /// The `after` of the next call.
    next: i64,
}

/// Reads the statuses of the key's client: a page as JSON, or with `Accept: text/event-stream` all there will be, each
/// as an event whose id is its `seq` (`Last-Event-ID` resumes).
#[utoipa::path(
    tag = "sms",
    params(Reading, ("Last-Event-ID" = Option<i64>, Header, description = "event stream: where to resume")),
    security(("apiKey" = [])),
    responses(
        (status = 200, description = "statuses in order", content(
            (StatusPage = "application/json"),
            (String = "text/event-stream"),
        )),
        (status = 400, description = "a bad parameter", body = Problem),
        (status = 401, description = "no valid API key", body = Problem),
        (status = 503, description = "the database does not answer", body = Problem),
    )
)]
#[get("/v1/sms/status")]
pub(crate) async fn read(
    caller: KeyCaller,
    gateway: Data<Gateway>,
    reading: Query<Reading>,
    request: HttpRequest,
    shutdown: Shutdown,
) -> Result<Answer<Statuses>, Failure> {
    feed::read::<Statuses>(caller.0, gateway, reading, (request, shutdown)).await
}

/// The feed.
pub(crate) enum Statuses {}

impl Feed for Statuses {
    type Row = StatusRow;
    type Item = NumberedStatus;
    type Page = StatusPage;

    fn since(
        conn: &mut DbConn,
        client: &ClientId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<StatusRow>, StoreError> {
        statuses::since(conn, client, after, limit)
    }

    fn seq(row: &StatusRow) -> i64 {
        row.seq
    }

    fn page(statuses: Vec<NumberedStatus>, next: i64) -> StatusPage {
        StatusPage { statuses, next }
    }
}

impl From<&StatusRow> for NumberedStatus {
    fn from(row: &StatusRow) -> Self {
        Self { seq: row.seq, status: row.into() }
    }
}
