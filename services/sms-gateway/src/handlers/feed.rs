//! What a client reads as it comes, by long poll or as an event stream: rows numbered per client.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{Data, Query};
use actix_web::{Either, HttpRequest, HttpResponse};
use bytes::Bytes;
use common::models::ProblemKind;
use common::models::problem::AsProblem;
use common::models::sms::ClientId;
use db::DbConn;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;
use utoipa::IntoParams;
use web::{Failure, Json, Shutdown};

use crate::pipeline::Gateway;
use crate::store::StoreError;

/// Items of one answer at most, and if nothing is said.
const MOST: i64 = 1000;
const USUAL: i64 = 100;
/// Longest wait, in seconds.
const LONGEST: u64 = 30;
/// Other instances write, too; they wake nobody here.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// An event stream that is silent for longer is cut by proxies.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What is read.
pub(super) trait Feed: 'static {
    /// A row, as the table has it.
    type Row: Send + 'static;
    /// A row with its number, as the reader gets it; no part of it can fail to be serialised, and no line end is outside
    /// of a string.
    type Item: for<'a> From<&'a Self::Row> + Serialize;
    /// Items in order.
    type Page: Serialize;

    /// Reads a client's rows behind `after`, in order.
    fn since(
        conn: &mut DbConn,
        client: &ClientId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Self::Row>, StoreError>;

    /// Gives the number of a row.
    fn seq(row: &Self::Row) -> i64;

    /// Makes the answer; `next` is the `after` of the next call.
    fn page(items: Vec<Self::Item>, next: i64) -> Self::Page;
}

/// From where, how many, how long.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Reading {
    /// The `seq` of the last one that is known; 0 for none.
    #[serde(default)]
    #[param(minimum = 0)]
    after: i64,
    /// How many in one answer at most: 1 to 1000, 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// How many seconds to wait for a first one: 0 (default) to 30.
    #[serde(default)]
    #[param(maximum = 30)]
    timeout: u64,
}

/// A page, or all there will be.
pub(super) type Answer<F> = Either<Json<<F as Feed>::Page>, HttpResponse>;

/// Reads a client's rows: a page as JSON, or with `Accept: text/event-stream` all there will be, each as an event whose
/// id is its `seq` (`Last-Event-ID` resumes).
pub(super) async fn read<F: Feed>(
    client: ClientId,
    gateway: Data<Gateway>,
    reading: Query<Reading>,
    (request, shutdown): (HttpRequest, Shutdown),
) -> Result<Answer<F>, Failure> {
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
    let mut reader = Reader::<F> {
        news: gateway.announcer.news(),
        gateway,
        client,
        after: reading.after,
        limit,
        shutdown,
        feed: PhantomData,
    };
    if wants_events(&request) {
        if let Some(last) = last_event(&request)? {
            reader.after = last;
        }
        return Ok(Either::Right(reader.into_events()));
    }
    let rows = reader.wait(Duration::from_secs(reading.timeout)).await?;
    let items = rows.iter().map(F::Item::from).collect();
    Ok(Either::Left(Json(F::page(items, reader.after))))
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

/// One reader of what one client gets.
struct Reader<F> {
    gateway: Data<Gateway>,
    client: ClientId,
    after: i64,
    limit: i64,
    news: watch::Receiver<u64>,
    shutdown: Shutdown,
    feed: PhantomData<fn() -> F>,
}

impl<F: Feed> Reader<F> {
    /// Reads what is next and moves on.
    async fn next(&mut self) -> Result<Vec<F::Row>, StoreError> {
        // Whatever is announced from here on may not be in what is read.
        self.news.mark_unchanged();
        let (client, after, limit) = (self.client.clone(), self.after, self.limit);
        let rows = self.gateway.db.read(move |conn| F::since(conn, &client, after, limit)).await?;
        self.after = rows.last().map_or(after, F::seq);
        Ok(rows)
    }

    /// Waits for rows until the time is over or the process stops; none are an answer, too.
    async fn wait(&mut self, patience: Duration) -> Result<Vec<F::Row>, StoreError> {
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
                Ok(rows) => Some((Ok(events_of::<F>(&rows)), reader)),
                // The client comes again with the last id that it has seen.
                Err(error) => {
                    tracing::warn!(%error, "an event stream ends: what is next cannot be read now");
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

fn events_of<F: Feed>(rows: &[F::Row]) -> Bytes {
    let mut events = String::new();
    for row in rows {
        if let Ok(data) = serde_json::to_string(&F::Item::from(row)) {
            events.push_str(&format!("id: {}\ndata: {data}\n\n", F::seq(row)));
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
