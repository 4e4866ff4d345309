//! `/v1/notify/page`: a page where channels can be tried out. It is part of the program, talks to this server alone, and
//! runs no script but its own.

use std::sync::OnceLock;

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, EntityTag, Header, IfNoneMatch,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::models::{Problem, ProblemKind};
use ring::digest::{SHA256, digest};
use web::Failure;

use crate::app::State;

/// Nothing from elsewhere, and no script that was made out of text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// A file of the page.
struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
    tag: OnceLock<String>,
}

impl Asset {
    const fn new(name: &'static str, kind: &'static str, text: &'static str) -> Self {
        Self { name, kind, text, tag: OnceLock::new() }
    }

    /// Gives what tells this release of the file from others.
    fn tag(&self) -> EntityTag {
        let tag = self.tag.get_or_init(|| URL_SAFE_NO_PAD.encode(digest(&SHA256, self.text.as_bytes())));
        EntityTag::new_strong(tag.clone())
    }
}

static PAGE: Asset =
    Asset::new("page.html", "text/html; charset=utf-8", include_str!("../../assets/page.html"));

static PARTS: [Asset; 3] = [
    Asset::new("page.js", "text/javascript; charset=utf-8", include_str!("../../assets/page.js")),
    Asset::new("page.css", "text/css; charset=utf-8", include_str!("../../assets/page.css")),
    Asset::new("icon.svg", "image/svg+xml", include_str!("../../assets/icon.svg")),
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

/// Gives the script, the style and the icon of the page.
#[utoipa::path(tag = "page", params(("part" = String, Path, description = "`page.js`, `page.css` or `icon.svg`")), responses(
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
    serve(&state, PARTS.iter().find(|asset| asset.name == *part), &request)
}

fn serve(state: &State, asset: Option<&Asset>, request: &HttpRequest) -> Result<HttpResponse, Failure> {
    let Some(asset) = asset.filter(|_| state.settings.trial_page) else {
        return Err(Failure::problem(Problem::new(ProblemKind::NotFound("no-such-page"))));
    };
    let tag = asset.tag();
    let known = match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(known)) => known.iter().any(|known| known.weak_eq(&tag)),
        Err(_) => false,
    };
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((ETAG, tag))
        // A new release is seen at the next visit.
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if known {
        return Ok(response.finish());
    }
    Ok(response.insert_header((CONTENT_TYPE, asset.kind)).body(asset.text))
}
