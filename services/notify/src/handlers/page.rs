//! `/v1/notify/page`: a page where channels can be tried out. It is part of the program, talks to this server alone, and
//! runs no script but its own.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use common::models::{Problem, ProblemKind};
use web::{Asset, Failure};

use crate::app::State;

static PAGE: Asset = Asset::html(include_str!("../../assets/page.html"));

static PARTS: [(&str, Asset); 4] = [
    ("page.js", Asset::script(include_str!("../../assets/page.js"))),
    ("page.css", Asset::style(include_str!("../../assets/page.css"))),
    ("palette.css", Asset::style(web::PALETTE)),
    ("icon.svg", Asset::svg(include_str!("../../assets/icon.svg"))),
];

/// Shows a page where channels can be tried out by hand.
#[utoipa::path(tag = "page", responses(
    (status = 200, description = "the page", content_type = "text/html", body = String),
    (status = 304, description = "the client has it"),
    (status = 404, body = Problem, description = "`no-such-page`: the setting `notify.trial_page` is off"),
))]
#[get("/v1/notify/page")]
pub(crate) async fn page(state: Data<State>, request: HttpRequest) -> Result<HttpResponse, Failure> {
    serve(&state, Some(&PAGE), &request)
}

/// Gives the script, the styles and the icon of the page.
#[utoipa::path(tag = "page", params(("part" = String, Path, description = "`page.js`, `page.css`, `palette.css` or `icon.svg`")), responses(
    (status = 200, description = "the part"),
    (status = 304, description = "the client has it"),
    (status = 404, body = Problem, description = "`no-such-page`"),
))]
#[get("/v1/notify/page/{part}")]
pub(crate) async fn part(
    state: Data<State>,
    part: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let asset = PARTS.iter().find_map(|(name, asset)| (*name == *part).then_some(asset));
    serve(&state, asset, &request)
}

fn serve(state: &State, asset: Option<&Asset>, request: &HttpRequest) -> Result<HttpResponse, Failure> {
    match asset.filter(|_| state.settings.trial_page) {
        Some(asset) => Ok(asset.answer(request)),
        None => Err(Failure::problem(Problem::new(ProblemKind::NotFound("no-such-page")))),
    }
}
