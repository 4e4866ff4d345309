//! `GET /v1/sms/report` and `/internal/sms-gateway/v1/report`: what became of messages, counted by client and day.

use std::collections::BTreeMap;

use actix_web::get;
use actix_web::web::{Data, Query};
use common::models::Problem;
use common::models::sms::{ClientId, SmscName};
use serde::{Deserialize, Serialize};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, Duration, OffsetDateTime};
use utoipa::{IntoParams, ToSchema};
use web::{Failure, Json};

use super::admin::Operator;
use super::key::KeyCaller;
use crate::domain::report::Tally;
use crate::pipeline::Gateway;
use crate::store::report::{self, DAY, Wanted};

/// Days of one report at most, and if nothing is said.
const MOST: i64 = 366;
const USUAL: i64 = 31;
const FORM: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// Which days.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Days {
    /// The first day, of UTC, such as `2026-11-28`; 31 days with the last one if not given.
    from: Option<String>,
    /// The last day; today if not given.
    to: Option<String>,
}

/// Which days, and of whom.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Of this client alone.
    client: Option<String>,
    /// The first day, of UTC, such as `2026-11-28`; 31 days with the last one if not given.
    from: Option<String>,
    /// The last day; today if not given.
    to: Option<String>,
    /// Whether there is a line for each SMSC.
    #[serde(default)]
    by_smsc: bool,
}

/// What became of a client's messages of one day. Each attempt counts on the day on which the gateway took it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReportLine {
    /// The client.
    client: String,
    /// The day, of UTC.
    day: String,
    /// The SMSC of the last try, where that was asked for and there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    smsc: Option<String>,
    /// Requests taken; one that is sent again under the same ids counts again.
    requests: i64,
    /// Segments that an SMSC has, or may have.
    segments: i64,
    /// Messages that an SMSC took, whatever became of them.
    sent: i64,
    /// Delivered, as the SMSC says.
    delivered: i64,
    /// Not delivered, or not sent.
    failed: i64,
    /// Too late.
    expired: i64,
    /// Not possible as they are.
    invalid: i64,
    /// Nobody knows whether they were sent.
    unknown: i64,
    /// Not sent yet.
    waiting: i64,
    /// Seconds from leaving the gateway to the receipt, of half of the delivered messages at most; off by 19 % at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    median_seconds: Option<f64>,
    /// The same of 95 of 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    p95_seconds: Option<f64>,
}

/// Counts what became of the messages of all clients, or of one, by day.
#[utoipa::path(tag = "operators", params(Which), responses(
    (status = 200, body = Vec<ReportLine>),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[get("/internal/sms-gateway/v1/report")]
pub(crate) async fn of_any(
    _: Operator,
    gateway: Data<Gateway>,
    which: Query<Which>,
) -> Result<Json<Vec<ReportLine>>, Failure> {
    let Which { client, from, to, by_smsc } = which.into_inner();
    lines(&gateway, client.map(ClientId::from), Days { from, to }, by_smsc).await
}

/// Counts what became of the messages of the key's client, by day.
#[utoipa::path(tag = "sms", params(Days), security(("apiKey" = [])), responses(
    (status = 200, body = Vec<ReportLine>),
    (status = 400, description = "a bad parameter", body = Problem),
    (status = 401, description = "no valid API key", body = Problem),
    (status = 503, description = "the database does not answer", body = Problem),
))]
#[get("/v1/sms/report")]
pub(crate) async fn of_caller(
    caller: KeyCaller,
    gateway: Data<Gateway>,
    days: Query<Days>,
) -> Result<Json<Vec<ReportLine>>, Failure> {
    lines(&gateway, Some(caller.0), days.into_inner(), false).await
}

async fn lines(
    gateway: &Gateway,
    client: Option<ClientId>,
    days: Days,
    by_smsc: bool,
) -> Result<Json<Vec<ReportLine>>, Failure> {
    let (from, to) = days.read(gateway.now().as_i64().div_euclid(DAY))?;
    let wanted = Wanted { client, from, to };
    let groups = gateway.db.read(move |conn| report::read(conn, &wanted)).await?;
    let mut lines: BTreeMap<(ClientId, i64, Option<SmscName>), Tally> = BTreeMap::new();
    for group in groups {
        let key = (group.client, group.day, group.smsc.filter(|_| by_smsc));
        lines.entry(key).or_default().add(&group.alike);
    }
    let taken = lines.into_iter().filter(|(_, tally)| tally.requests > 0);
    Ok(Json(taken.map(|((client, day, smsc), tally)| ReportLine::new(client, day, smsc, &tally)).collect()))
}

impl Days {
    /// Gives the first and the last one, in days since 1970-01-01.
    fn read(self, today: i64) -> Result<(i64, i64), Failure> {
        let read = |name: &str, text: Option<String>, usual| match text.map(|text| Date::parse(&text, FORM)) {
            None => Ok(usual),
            Some(Ok(date)) => Ok(date.midnight().assume_utc().unix_timestamp().div_euclid(DAY / 1000)),
            Some(Err(_)) => Err(Failure::invalid(name, "expected a day such as 2026-11-28")),
        };
        let to = read("to", self.to, today)?;
        let from = read("from", self.from, to - USUAL + 1)?;
        if !(0..MOST).contains(&(to - from)) {
            return Err(Failure::invalid(
                "from",
                "expected a day that is not after `to`, and 366 days at most",
            ));
        }
        Ok((from, to))
    }
}

impl ReportLine {
    fn new(client: ClientId, day: i64, smsc: Option<SmscName>, tally: &Tally) -> Self {
        let date = OffsetDateTime::UNIX_EPOCH.saturating_add(Duration::days(day)).date();
        Self {
            client: client.to_string(),
            day: date.format(FORM).unwrap_or_default(),
            smsc: smsc.map(|smsc| smsc.to_string()),
            requests: tally.requests,
            segments: tally.segments,
            sent: tally.sent,
            delivered: tally.delivered,
            failed: tally.failed,
            expired: tally.expired,
            invalid: tally.invalid,
            unknown: tally.unknown,
            waiting: tally.waiting,
            median_seconds: tally.quantile(0.5),
            p95_seconds: tally.quantile(0.95),
        }
    }
}
