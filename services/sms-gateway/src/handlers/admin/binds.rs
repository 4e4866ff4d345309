//! `/internal/sms-gateway/v1/binds`: how the binds do, and what operators want of them.

use actix_web::web::{Data, Path};
use actix_web::{get, put};
use common::models::sms::SmscName;
use common::models::{Problem, ProblemKind};
use serde::{Deserialize, Serialize};
use smpp::esme::EsmeState;
use utoipa::ToSchema;
use web::{Failure, Json};

use super::Operator;
use crate::domain::order::Order;
use crate::pipeline::links::{Link, Links, Way};
use crate::pipeline::{Gateway, orders};
use crate::store::{AUDIT, StoreError, orders as table};

/// An SMSC or provider, as this instance sees it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BindView {
    /// Its name in the settings.
    #[schema(value_type = String)]
    smsc: SmscName,
    /// What operators want of it.
    order: Order,
    /// Of a bind: `bound`, or `receiving` where it only takes receipts; `connecting`, `waiting` before it connects again,
    /// `alarm` when the credentials are refused, `unbound` once it is drained, `closed`. Of a provider over HTTP:
    /// `reachable` or `unreachable`.
    state: &'static str,
    /// Why it is not bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The bind that receipts come by, where that is one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    receiver: Option<WayView>,
    /// Submissions without a response.
    in_flight: usize,
    /// Submissions that wait for a place in the window.
    queued: usize,
    /// Most submissions without a response.
    window: usize,
    /// Submissions a second that it takes at present; none: no limit is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    /// Whether submissions pause for a while, as it throttled.
    throttling: bool,
    /// Submissions that were throttled since the start.
    throttled: u64,
    /// How often it was bound since the start.
    binds: u64,
}

/// How the second of two binds does.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WayView {
    /// As that of the first one.
    state: &'static str,
    /// Why it is not bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl WayView {
    fn of(way: &Way) -> Self {
        let (state, error) = match way.state() {
            EsmeState::Connecting => ("connecting", None),
            EsmeState::Bound if way.submits() => ("bound", None),
            EsmeState::Bound => ("receiving", None),
            EsmeState::Waiting { error } => ("waiting", Some(error.to_string())),
            EsmeState::Alarm { status } => ("alarm", Some(status.to_string())),
            EsmeState::Held => ("unbound", None),
            EsmeState::Closed => ("closed", None),
        };
        Self { state, error }
    }
}

impl BindView {
    fn of(link: &Link) -> Self {
        let stats = link.stats();
        let mut ways = link.ways().iter().map(WayView::of);
        let reached = if link.reaches() == Some(true) { "reachable" } else { "unreachable" };
        let WayView { state, error } = ways.next().unwrap_or(WayView { state: reached, error: None });
        Self {
            smsc: link.name.clone(),
            order: link.order().unwrap_or_default(),
            state,
            error,
            receiver: ways.next(),
            in_flight: stats.in_flight,
            queued: stats.queued,
            window: link.window,
            rate: stats.rate,
            throttling: stats.paused,
            throttled: stats.throttled,
            binds: stats.binds,
        }
    }
}

/// What is wanted of a bind.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// `open`; `paused`: nothing new is submitted, and the bind stays for responses and receipts; or `drained`: nothing
    /// new is submitted, what is under way is waited for as long as `drain` of the SMSC says, and the bind ends.
    order: Order,
}

/// Shows the binds of this instance.
#[utoipa::path(tag = "operators", responses(
    (status = 200, body = Vec<BindView>),
    (status = 401, body = Problem),
))]
#[get("/internal/sms-gateway/v1/binds")]
pub(crate) async fn list(_: Operator, links: Data<Links>) -> Json<Vec<BindView>> {
    Json(links.all().iter().map(|link| BindView::of(link)).collect())
}

/// Pauses or drains a bind, or opens it again: at once in this instance, within a second in the others, and also after a restart.
#[utoipa::path(tag = "operators", params(("smsc" = String, Path)), request_body = Wanted, responses(
    (status = 200, body = BindView),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 404, body = Problem, description = "`no-such-smsc` in the settings"),
    (status = 503, body = Problem),
))]
#[put("/internal/sms-gateway/v1/binds/{smsc}")]
pub(crate) async fn order(
    operator: Operator,
    gateway: Data<Gateway>,
    links: Data<Links>,
    smsc: Path<String>,
    wanted: Json<Wanted>,
) -> Result<Json<BindView>, Failure> {
    let Some(link) = links.all().iter().find(|link| link.name.as_str() == *smsc) else {
        let names: Vec<&str> = links.all().iter().map(|link| link.name.as_str()).collect();
        let problem = Problem::new(ProblemKind::NotFound("no-such-smsc"));
        return Err(Failure::problem(problem.with_detail(format!("there are: {}", names.join(", ")))));
    };
    let order = wanted.order;
    let action = match order {
        Order::Open => "bind.resume",
        Order::Paused => "bind.pause",
        Order::Drained => "bind.drain",
    };
    let act = operator.act(action, format!("smsc={}", link.name));
    let (name, now) = (link.name.clone(), gateway.now());
    let giving = gateway.db.write(move |conn| {
        table::give(conn, &name, order, now)?;
        Ok::<_, StoreError>(AUDIT.add(conn, &act, now)?)
    });
    giving.await?;
    orders::obey(&gateway, &links).await?;
    Ok(Json(BindView::of(link)))
}
