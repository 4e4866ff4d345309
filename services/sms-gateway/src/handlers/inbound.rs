//! `GET /v1/sms/inbound`: a client's messages from handsets, by long poll or as an event stream.

use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, get};
use common::models::Problem;
use common::models::sms::{ClientId, SmsInbound};
use db::DbConn;
use serde::Serialize;
use utoipa::ToSchema;
use web::{Failure, Shutdown};

use super::feed::{self, Answer, Feed, Reading};
use super::key::KeyCaller;
use crate::pipeline::Gateway;
use crate::store::StoreError;
use crate::store::inbound::{self, InboundRow};

/// A message with its number.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NumberedInbound {
    /// Number among the client's messages, growing by one.
    seq: i64,
    /// The message as on the bus.
    #[serde(flatten)]
    message: SmsInbound,
}

/// Messages in order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InboundPage {
    /// What there is behind `after`.
    messages: Vec<NumberedInbound>,
    /// The `after` of the next call.
    next: i64,
}

/// Reads what handsets sent to the numbers of the key's client, encrypted: a page as JSON, or with
/// `Accept: text/event-stream` all there will be, each as an event whose id is its `seq` (`Last-Event-ID` resumes).
#[utoipa::path(
    tag = "sms",
    params(Reading, ("Last-Event-ID" = Option<i64>, Header, description = "event stream: where to resume")),
    security(("apiKey" = [])),
    responses(
        (status = 200, description = "messages in order", content(
            (InboundPage = "application/json"),
            (String = "text/event-stream"),
        )),
        (status = 400, description = "a bad parameter", body = Problem),
        (status = 401, description = "no valid API key", body = Problem),
        (status = 503, description = "the database does not answer", body = Problem),
    )
)]
#[get("/v1/sms/inbound")]
pub(crate) async fn read(
    caller: KeyCaller,
    gateway: Data<Gateway>,
    reading: Query<Reading>,
    request: HttpRequest,
    shutdown: Shutdown,
) -> Result<Answer<Inbound>, Failure> {
    feed::read::<Inbound>(caller.0, gateway, reading, (request, shutdown)).await
}

/// The feed.
pub(crate) enum Inbound {}

impl Feed for Inbound {
    type Row = InboundRow;
    type Item = NumberedInbound;
    type Page = InboundPage;

    fn since(
        conn: &mut DbConn,
        client: &ClientId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<InboundRow>, StoreError> {
        inbound::since(conn, client, after, limit)
    }

    fn seq(row: &InboundRow) -> i64 {
        row.seq
    }

    fn page(messages: Vec<NumberedInbound>, next: i64) -> InboundPage {
        InboundPage { messages, next }
    }
}

impl From<&InboundRow> for NumberedInbound {
    fn from(row: &InboundRow) -> Self {
        Self { seq: row.seq, message: row.into() }
    }
}
