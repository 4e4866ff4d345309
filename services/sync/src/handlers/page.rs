//! The pages that show QR codes: that of a new device, for apps that cannot draw one, and that of an app that
//! synchronizes. Files that are compiled in, and the picture.
//!
//! The page of a new device holds no secret: the app opens it with its public key behind the `#`, which no server sees, and
//! takes the envelope from it, which only the app can read.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get, post};
use common::models::Problem;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Asset, ClientAddr, Failure, Json, Rule};

use crate::app::State;
use crate::domain::qr;

static LINKING: Asset = Asset::html(include_str!("../../assets/provisioning.html"));
static LINKING_SCRIPT: Asset = Asset::script(include_str!("../../assets/provisioning.js"));
static SYNCHRONIZING: Asset = Asset::html(include_str!("../../assets/synchronize.html"));
static SYNCHRONIZING_SCRIPT: Asset = Asset::script(include_str!("../../assets/synchronize.js"));
static SHARED_SCRIPT: Asset = Asset::script(include_str!("../../assets/code.js"));
static STYLE: Asset = Asset::style(include_str!("../../assets/page.css"));

/// Room for the text of a code with its escapes.
const CODE_BYTES: usize = 8 * 1024;

/// The page of a new device.
#[utoipa::path(tag = "linking", responses((status = 200, content_type = "text/html", body = String)))]
#[get("/v1/provisioning/page")]
pub(crate) async fn html(request: HttpRequest) -> HttpResponse {
    LINKING.answer(&request)
}

/// Its script.
#[utoipa::path(tag = "linking", responses((status = 200, content_type = "text/javascript", body = String)))]
#[get("/v1/provisioning/page.js")]
pub(crate) async fn script(request: HttpRequest) -> HttpResponse {
    LINKING_SCRIPT.answer(&request)
}

/// What both scripts share.
#[utoipa::path(tag = "linking", responses((status = 200, content_type = "text/javascript", body = String)))]
#[get("/v1/provisioning/code.js")]
pub(crate) async fn shared_script(request: HttpRequest) -> HttpResponse {
    SHARED_SCRIPT.answer(&request)
}

/// The style of both.
#[utoipa::path(tag = "linking", responses((status = 200, content_type = "text/css", body = String)))]
#[get("/v1/provisioning/page.css")]
pub(crate) async fn style(request: HttpRequest) -> HttpResponse {
    STYLE.answer(&request)
}

/// The page of an app that synchronizes.
#[utoipa::path(tag = "sync", responses((status = 200, content_type = "text/html", body = String)))]
#[get("/v2/sync/page")]
pub(crate) async fn sync_html(request: HttpRequest) -> HttpResponse {
    SYNCHRONIZING.answer(&request)
}

/// Its script.
#[utoipa::path(tag = "sync", responses((status = 200, content_type = "text/javascript", body = String)))]
#[get("/v2/sync/page.js")]
pub(crate) async fn sync_script(request: HttpRequest) -> HttpResponse {
    SYNCHRONIZING_SCRIPT.answer(&request)
}

/// What a QR code is to say.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Code {
    /// Up to 1024 octets.
    pub(crate) text: String,
}

/// Draws a QR code. Needs no login: the page has none.
#[utoipa::path(tag = "linking", request_body = Code, responses(
    (status = 200, content_type = "image/svg+xml", body = String),
    (status = 400, body = Problem),
    (status = 429, body = Problem, description = "`rate-limited`: by address"),
))]
#[post("/v1/provisioning/qr")]
pub(crate) async fn picture(
    state: Data<State>,
    client: ClientAddr,
    body: Json<Code, CODE_BYTES>,
) -> Result<HttpResponse, Failure> {
    state.limits.take(Rule::PictureAddress, client.network())?;
    let drawn = qr::draw(&body.text);
    let svg = drawn.ok_or_else(|| Failure::invalid("text", "expected 1 to 1024 octets"))?;
    // What a code says may be a secret for a minute.
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "image/svg+xml"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(svg))
}
