//! `/v3`: lists of gateway clients, and publishing in their form of errors.

mod paging;

use actix_web::error::QueryPayloadError;
use actix_web::web::{Bytes, Data, Path, Query};
use actix_web::{Error, HttpRequest, HttpResponse, get, post};
use common::models::E164;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use web::ClientAddr;

use self::paging::Page;
use super::refusal::Refusal;
use super::{intake, lists};
use crate::app::State;
use crate::domain::RelayError;
use crate::store::clients::ClientRow;
use crate::store::listing::{self, Filter};

/// Which clients, and which page of them. Texts, since a number that is none is answered in this interface's form.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only of this country, in whatever case.
    country: Option<String>,
    /// Only whose operator's name holds this.
    operator: Option<String>,
    /// Only whose protocols hold this.
    protocols: Option<String>,
    /// Only those that have published since this day (`2024-05-31`) or instant (`2024-05-31T12:34:56Z`; UTC without a
    /// zone).
    last_published_date: Option<String>,
    /// Which page, from 1.
    page: Option<String>,
    /// How many on a page, 10 unless given, 100 at most.
    per_page: Option<String>,
}

impl ListQuery {
    /// Reads the query of a request. Not by the extractor: a refusal has this interface's form, and what is left blank
    /// is as if it were not there.
    fn read(request: &HttpRequest) -> Result<Self, Refusal> {
        let read = Query::<Self>::from_query(request.query_string());
        let mut query = read.map_err(|error| match error {
            QueryPayloadError::Deserialize(cause) => Refusal::invalid(format!("invalid query: {cause}")),
            _ => Refusal::invalid("invalid query"),
        })?;
        let Self { country, operator, protocols, last_published_date, page, per_page } = &mut *query;
        for value in [country, operator, protocols, last_published_date, page, per_page] {
            value.take_if(|text| text.is_empty());
        }
        Ok(query.into_inner())
    }
}

/// A gateway client with a number.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listed {
    msisdn: Option<E164>,
    country: String,
    operator: String,
    /// MCC and MNC.
    operator_code: String,
    protocols: Vec<String>,
    /// Percent of its reliability tests that were good; none are run here.
    reliability: &'static str,
    /// When it last handed in an SMS: seconds since 1970.
    last_published_date: Option<i64>,
}

impl From<ClientRow> for Listed {
    fn from(row: ClientRow) -> Self {
        Self {
            msisdn: row.msisdn,
            country: row.country.unwrap_or_default(),
            operator: row.operator.unwrap_or_default(),
            operator_code: row.operator_code.unwrap_or_default(),
            protocols: row.protocols.split(',').map(str::to_owned).collect(),
            reliability: "0.00",
            last_published_date: row.last_published_at.map(common::models::UnixMillis::as_secs),
        }
    }
}

/// Lists gateway clients with a number.
#[utoipa::path(tag = "v3", params(ListQuery), responses(
    (status = 200, body = Vec<Listed>, description = "headers `X-Total-Count`, `X-Page`, `X-Per-Page`, `Link`"),
    (status = 400, description = "`{\"error\"}`"), (status = 429), (status = 503, description = "`{\"error\"}`"),
))]
#[get("/v3/clients")]
pub(crate) async fn clients(state: Data<State>, request: HttpRequest, asks: ClientAddr) -> HttpResponse {
    match listed(&state, &request, asks).await {
        Ok(answer) => answer,
        Err(refusal) => refusal.into_json(),
    }
}

async fn listed(state: &State, request: &HttpRequest, asks: ClientAddr) -> Result<HttpResponse, Refusal> {
    lists::limit(state, asks)?;
    let query = ListQuery::read(request)?;
    let page = Page::read(query.page.as_deref(), query.per_page.as_deref())?;
    let since = query.last_published_date.as_deref().map(paging::instant).transpose()?;
    let ListQuery { country, operator, protocols, .. } = query;
    let filter = Filter { country, operator, protocols, published_since: since };
    let (total, rows) = state
        .db
        .read(move |conn| {
            let rows = listing::page(conn, &filter, page.offset(), page.size())?;
            Ok::<_, RelayError>((listing::count(conn, &filter)?, rows))
        })
        .await?;
    let items: Vec<Listed> = rows.into_iter().map(Listed::from).collect();
    Ok(page.head(state, request, total).json(items))
}

/// Lists the reliability tests of a gateway client. None are run, so the list of a known client is empty.
#[utoipa::path(tag = "v3", params(
    ("msisdn" = String, Path, description = "the number of the client"),
    ("page" = Option<String>, Query, description = "from 1"),
    ("per_page" = Option<String>, Query, description = "10 unless given"),
), responses((status = 200), (status = 400), (status = 404, description = "`{\"error\"}`"), (status = 429), (status = 503)))]
#[get("/v3/clients/{msisdn}/tests")]
pub(crate) async fn tests(
    state: Data<State>,
    request: HttpRequest,
    msisdn: Path<String>,
    asks: ClientAddr,
) -> HttpResponse {
    let tested = async {
        lists::limit(&state, asks)?;
        tested(&state, &request, &msisdn).await
    };
    match tested.await {
        Ok(answer) => answer,
        Err(refusal) => refusal.into_json(),
    }
}

async fn tested(state: &State, request: &HttpRequest, msisdn: &str) -> Result<HttpResponse, Refusal> {
    let query = ListQuery::read(request)?;
    let page = Page::read(query.page.as_deref(), query.per_page.as_deref())?;
    let number: E164 = msisdn.parse().map_err(|_| RelayError::NoClient)?;
    if !state.db.read(move |conn| listing::has(conn, &number)).await.map_err(RelayError::from)? {
        return Err(RelayError::NoClient.into());
    }
    Ok(page.head(state, request, 0).json(json!([])))
}

/// Lists the countries of gateway clients.
#[utoipa::path(tag = "v3", responses((status = 200, body = Vec<String>), (status = 429), (status = 503)))]
#[get("/v3/clients/countries")]
pub(crate) async fn countries(state: Data<State>, asks: ClientAddr) -> HttpResponse {
    if let Err(refusal) = lists::limit(&state, asks) {
        return refusal.into_json();
    }
    names(state.db.read(|conn| Ok::<_, RelayError>(listing::countries(conn)?)).await)
}

/// Lists the operators of gateway clients in a country.
#[utoipa::path(tag = "v3", params(("country" = String, Path, description = "its English name, in whatever case")),
    responses((status = 200, body = Vec<String>), (status = 429), (status = 503)))]
#[get("/v3/clients/{country}/operators")]
pub(crate) async fn operators(state: Data<State>, asks: ClientAddr, country: Path<String>) -> HttpResponse {
    if let Err(refusal) = lists::limit(&state, asks) {
        return refusal.into_json();
    }
    names(state.db.read(move |conn| Ok::<_, RelayError>(listing::operators(conn, &country)?)).await)
}

fn names(found: Result<Vec<String>, RelayError>) -> HttpResponse {
    match found {
        Ok(names) => HttpResponse::Ok().json(names),
        Err(error) => Refusal::from(error).into_json(),
    }
}

/// Takes an SMS in, as `/sms/platform/{platform}` does.
#[utoipa::path(tag = "v3", request_body(content = String, content_type = "application/json",
    description = "`text` (encrypted), `MSISDN` or `address`"),
    responses(
        (status = 200, description = "`{\"publisher_response\"}`"),
        (status = 400, description = "`{\"error\"}`"), (status = 401), (status = 403), (status = 413), (status = 429), (status = 503),
    ), security(("gatewayClient" = [])))]
#[post("/v3/publish")]
pub(crate) async fn publish(
    state: Data<State>,
    request: HttpRequest,
    body: Result<Bytes, Error>,
) -> HttpResponse {
    match intake::from_client(&state, &request, body).await {
        Ok(()) => HttpResponse::Ok().json(json!({"publisher_response": intake::PUBLISHED})),
        Err(refusal) => refusal.into_json(),
    }
}
