//! `GET /v1/sms/status`: a client's statuses, by long poll or as an event stream.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{Data, Query};
use actix_web::{Either, HttpRequest, HttpResponse, get};
use bytes::Bytes;
use common::models::Problem;
use common::models::ProblemKind;
use common::models::problem::AsProblem;
use common::models::sms::{ClientId, SmsStatus};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};
use web::{Failure, Json, Shutdown};

use super::key::KeyCaller;
use crate::pipeline::Gateway;
use crate::store::rows::StatusRow;
use crate::store::{StoreError, statuses};

/// Statuses of one answer at most, and if nothing is said.
const MOST: i64 = 1000;
const USUAL: i64 = 100;
/// Longest wait, in seconds.
const LONGEST: u64 = 30;
/// Other instances write statuses, too; those wake nobody here.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// An event stream that is silent for longer is cut by proxies.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// From where, how many, how long.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Reading {
    /// The `seq` of the last status that is known; 0 for none.
    #[serde(default)]
    #[param(minimum = 0)]
    after: i64,
    /// Statuses of one answer at most: 1 to 1000, 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// How many seconds to wait for a first status: 0 (default) to 30.
    #[serde(default)]
    #[param(maximum = 30)]
    timeout: u64,
}

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
) -> Result<Either<Json<StatusPage>, HttpResponse>, Failure> {
    let reading = reading.into_inner();
    let limit = reading.limit.unwrap_or(USUAL);
    for (name, fits) in [
        ("after", reading.after >= 0),
        ("limit", (1..=MOST).contains(&limit)),
        ("timeout", reading.timeout <= LONGEST),
    ] {
        if !fits {
            return Err(Failure::invalid(name, "out of range"));
        }
    }
    let mut reader = Reader {
        news: gateway.announcer.news(),
        gateway,
        client: caller.0,
        after: reading.after,
        limit,
        shutdown,
    };
    if wants_events(&request) {
        if let Some(last) = last_event(&request)? {
            reader.after = last;
        }
        return Ok(Either::Right(reader.into_events()));
    }
    let rows = reader.wait(Duration::from_secs(reading.timeout)).await?;
    let page = StatusPage { next: reader.after, statuses: rows.iter().map(NumberedStatus::from).collect() };
    Ok(Either::Left(Json(page)))
}

fn wants_events(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/event-stream"))
}

fn last_event(request: &HttpRequest) -> Result<Option<i64>, Failure> {
    let Some(value) = request.headers().get("last-event-id") else { return Ok(None) };
    let seq = value.to_str().ok().and_then(|text| text.parse().ok()).filter(|seq| *seq >= 0);
    seq.map(Some).ok_or_else(|| Failure::invalid("Last-Event-ID", "not the id of an event"))
}

impl From<&StatusRow> for NumberedStatus {
    fn from(row: &StatusRow) -> Self {
        Self { seq: row.seq, status: row.into() }
    }
}

/// One reader of one client's statuses.
struct Reader {
    gateway: Data<Gateway>,
    client: ClientId,
    after: i64,
    limit: i64,
    news: watch::Receiver<u64>,
    shutdown: Shutdown,
}

impl Reader {
    /// Reads what is next and moves on.
    async fn next(&mut self) -> Result<Vec<StatusRow>, StoreError> {
        // Whatever is announced from here on may not be in what is read.
        self.news.mark_unchanged();
        let (client, after, limit) = (self.client.clone(), self.after, self.limit);
        let rows = self.gateway.db.read(move |conn| statuses::since(conn, &client, after, limit)).await?;
        self.after = rows.last().map_or(after, |row| row.seq);
        Ok(rows)
    }

    /// Waits for statuses until the time is over or the process stops; none are an answer, too.
    async fn wait(&mut self, patience: Duration) -> Result<Vec<StatusRow>, StoreError> {
        let end = Instant::now() + patience;
        loop {
            let rows = self.next().await?;
            let left = end.saturating_duration_since(Instant::now());
            if !rows.is_empty() || left.is_zero() {
                return Ok(rows);
            }
            tokio::select! {
                () = self.shutdown.wait() => return Ok(rows),
                _ = self.news.changed() => {}
                () = tokio::time::sleep(left.min(LOOK_EVERY)) => {}
            }
        }
    }

    fn into_events(self) -> HttpResponse {
        // A first line at once: the client sees that the stream stands.
        let opening = stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b": open\n\n")) });
        let events = stream::unfold(self, |mut reader| async move {
            if reader.shutdown.token().is_cancelled() {
                return None;
            }
            match reader.wait(KEEP_ALIVE).await {
                Ok(rows) if rows.is_empty() => Some((Ok(Bytes::from_static(b": alive\n\n")), reader)),
                Ok(rows) => Some((Ok(events_of(&rows)), reader)),
                // The client comes again with the last id that it has seen.
                Err(error) => {
                    tracing::warn!(%error, "an event stream ends: statuses cannot be read now");
                    None
                }
            }
        });
        HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, "text/event-stream"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .streaming(futures_util::StreamExt::chain(opening, events))
    }
}

fn events_of(rows: &[StatusRow]) -> Bytes {
    let mut events = String::new();
    for row in rows {
        // A status has no part that serialisation can fail on, nor a line end outside of a string.
        if let Ok(data) = serde_json::to_string(&NumberedStatus::from(row)) {
            events.push_str(&format!("id: {}\ndata: {data}\n\n", row.seq));
        }
    }
    events.into()
}

impl AsProblem for StoreError {
    fn kind(&self) -> ProblemKind {
        match self {
            Self::Db(error) => error.kind(),
            Self::Unreadable(_) => ProblemKind::Internal,
        }
    }
}
