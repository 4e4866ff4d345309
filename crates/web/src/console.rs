//! `/console` on the internal listener: what an operator looks at first, of all that this process hosts.
//!
//! The page reads `/health/ready` and `/metrics`, which need no credential there, and asks the admin interface with the
//! token that the operator gives it. It is part of the program, and runs no script but its own.

use actix_web::web::{self, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use common::models::{Problem, ProblemKind};

use crate::front::Page;
use crate::{Asset, Failure, PALETTE};

/// As the internal listener tells of it at `/`.
pub(crate) const CONSOLE: Page = Page { path: "/console", title: "Console: what runs, waits and fails" };

static PAGE: Asset = Asset::html(include_str!("../assets/console/console.html"));

static PARTS: [(&str, Asset); 8] = [
    ("accounts.js", Asset::script(include_str!("../assets/console/accounts.js"))),
    ("console.css", Asset::style(include_str!("../assets/console/console.css"))),
    ("console.js", Asset::script(include_str!("../assets/console/console.js"))),
    ("palette.css", Asset::style(PALETTE)),
    ("panels.js", Asset::script(include_str!("../assets/console/panels.js"))),
    ("series.js", Asset::script(include_str!("../assets/console/series.js"))),
    ("sms.js", Asset::script(include_str!("../assets/console/sms.js"))),
    ("view.js", Asset::script(include_str!("../assets/console/view.js"))),
];

/// Adds the page and its parts.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(web::resource("/console").route(web::get().to(page)))
        .service(web::resource("/console/{part}").route(web::get().to(part)));
}

async fn page(request: HttpRequest) -> HttpResponse {
    PAGE.answer(&request)
}

async fn part(request: HttpRequest, part: Path<String>) -> Result<HttpResponse, Failure> {
    let asset = PARTS.iter().find_map(|(name, asset)| (*name == *part).then_some(asset));
    let missing = || Failure::problem(Problem::new(ProblemKind::NotFound("no-such-page")));
    Ok(asset.ok_or_else(missing)?.answer(&request))
}
