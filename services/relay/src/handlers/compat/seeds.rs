//! `/seeds` and `/seeders`: modems say that they are there, and everybody may see who is.

use actix_web::web::{Bytes, Data, Path};
use actix_web::{Error, HttpRequest, HttpResponse, get, post};
use common::models::gateway::{Seed, SeedKind};
use common::models::{E164, UnixMillis};
use web::ClientAddr;

use super::super::basic;
use super::fields::Fields;
use super::lists;
use super::refusal::Refusal;
use crate::app::State;
use crate::domain::pings::{self, Ping};
use crate::store::seeds::{SeedName, SeedRow};

const TEXT: &str = "text/plain; charset=utf-8";

/// Says that a modem is there. It is listed for 20 seconds (`relay.seed_ttl`).
#[utoipa::path(tag = "seeds", request_body(content = String, content_type = "application/json",
    description = "`IMSI`, `MSISDN`, `seed_type` (`seed` or `seeder`)"),
    responses(
        (status = 200, body = String, description = "the time of the ping: seconds since 1970", content_type = "text/plain"),
        (status = 400), (status = 401), (status = 403, description = "another client's IMSI"), (status = 422), (status = 429), (status = 503),
    ), security(("gatewayClient" = [])))]
#[post("/seeds/ping")]
pub(crate) async fn ping(
    state: Data<State>,
    request: HttpRequest,
    body: Result<Bytes, Error>,
) -> HttpResponse {
    match pinged(&state, &request, body, true).await {
        Ok(at) => HttpResponse::Ok().content_type(TEXT).body(format!("{:.3}", seconds(at))),
        Err(refusal) => refusal.into_text(),
    }
}

/// Says the same in the later form, which tells no kind: a modem that is known stays of its kind, another is a seed.
#[utoipa::path(tag = "seeds", request_body(content = String, content_type = "application/json",
    description = "`IMSI`, `MSISDN`"),
    responses(
        (status = 200), (status = 400), (status = 401), (status = 403), (status = 422), (status = 429), (status = 503),
    ), security(("gatewayClient" = [])))]
#[post("/seeds")]
pub(crate) async fn introduce(
    state: Data<State>,
    request: HttpRequest,
    body: Result<Bytes, Error>,
) -> HttpResponse {
    match pinged(&state, &request, body, false).await {
        Ok(_) => HttpResponse::Ok().finish(),
        Err(refusal) => refusal.into_text(),
    }
}

/// Takes a ping, and gives its time. Whether everything is there is judged before the form of anything is, as the
/// documented texts have it.
async fn pinged(
    state: &State,
    request: &HttpRequest,
    body: Result<Bytes, Error>,
    tells_kind: bool,
) -> Result<UnixMillis, Refusal> {
    let client = basic::caller(state, request).await?;
    let fields = Fields::read(body, "invalid json")?;
    fields.require(&[("IMSI", "missing IMSI"), ("MSISDN", "missing MSISDN")])?;
    if tells_kind {
        fields.require(&[("seed_type", "missing seeder state")])?;
    }
    let imsi = fields.parsed("IMSI")?;
    let msisdn: E164 = fields.parsed("MSISDN")?;
    if msisdn.digits().starts_with('0') {
        return Err(Refusal::invalid("invalid MSISDN: no country code begins with 0"));
    }
    let kind = tells_kind.then(|| fields.parsed("seed_type")).transpose()?;
    Ok(pings::ping(state, &client, Ping { imsi, msisdn, kind }).await?)
}

/// Lists the modems that are there.
#[utoipa::path(tag = "seeds", responses((status = 200, body = Vec<Seed>), (status = 429), (status = 503)))]
#[get("/seeds")]
pub(crate) async fn list(state: Data<State>, request: HttpRequest, asks: ClientAddr) -> HttpResponse {
    listed(&state, &request, asks, None).await
}

/// Lists the modems that are there and tell others their numbers.
#[utoipa::path(tag = "seeds", responses((status = 200, body = Vec<Seed>), (status = 429), (status = 503)))]
#[get("/seeders")]
pub(crate) async fn list_seeders(state: Data<State>, request: HttpRequest, asks: ClientAddr) -> HttpResponse {
    listed(&state, &request, asks, Some(SeedKind::Seeder)).await
}

async fn listed(
    state: &State,
    request: &HttpRequest,
    asks: ClientAddr,
    kind: Option<SeedKind>,
) -> HttpResponse {
    if let Err(refusal) = lists::limit(state, asks) {
        return refusal.into_text();
    }
    let rows = match pings::active(state, kind).await {
        Ok(rows) => rows,
        Err(error) => return Refusal::from(error).into_text(),
    };
    let open = shows_imsi(state, request).await;
    let seeds: Vec<Seed> = rows.into_iter().map(|row| view(row, open)).collect();
    HttpResponse::Ok().json(seeds)
}

/// Gives the number of a modem that is there; an empty text when it is not.
#[utoipa::path(tag = "seeds", params(("imsi" = String, Path, description = "the IMSI, or what stands for it in the list")),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 429), (status = 503)))]
#[get("/seeds/{imsi}")]
pub(crate) async fn number(
    state: Data<State>,
    request: HttpRequest,
    asks: ClientAddr,
    imsi: Path<String>,
) -> HttpResponse {
    if let Err(refusal) = lists::limit(&state, asks) {
        return refusal.into_text();
    }
    let name = if shows_imsi(&state, &request).await {
        SeedName::Imsi(imsi.into_inner())
    } else {
        SeedName::Pseudonym(imsi.into_inner())
    };
    match pings::number(&state, name).await {
        Ok(number) => {
            let text = number.map_or_else(String::new, |number| number.as_str().to_owned());
            HttpResponse::Ok().content_type(TEXT).body(text)
        }
        Err(error) => Refusal::from(error).into_text(),
    }
}

/// Whether the caller sees IMSIs: everybody by default, else gateway clients alone.
async fn shows_imsi(state: &State, request: &HttpRequest) -> bool {
    state.settings.public_imsi || basic::caller(state, request).await.is_ok()
}

/// What is told of a modem.
pub(in crate::handlers) fn view(row: SeedRow, open: bool) -> Seed {
    Seed {
        last_ping: seconds(row.pinged_at),
        imsi: if open { row.imsi } else { row.pseudonym },
        msisdn: row.msisdn,
        seed_type: row.seed_type,
        country: row.country.unwrap_or_default(),
        operator_name: row.operator_name.unwrap_or_default(),
        operator_id: row.operator_id.unwrap_or_default(),
    }
}

fn seconds(at: UnixMillis) -> f64 {
    // Milliseconds since 1970 have 41 bits, of 53.
    at.as_i64() as f64 / 1000.0
}
