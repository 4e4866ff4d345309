//! The page that shows the QR code of a new device, for apps that cannot draw one: three files, compiled in.
//!
//! The page holds no secret: the app opens it with its public key behind the `#`, which no server sees, and takes the
//! envelope from it, which only the app can read.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpResponse, get};

/// Nothing but what this server serves; the picture of the code is a `data:` URL.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page.
#[utoipa::path(tag = "linking", responses((status = 200, content_type = "text/html", body = String)))]
#[get("/v1/provisioning/page")]
pub(crate) async fn html() -> HttpResponse {
    file("text/html; charset=utf-8", include_str!("../../assets/provisioning.html"))
}

/// Its script.
#[utoipa::path(tag = "linking", responses((status = 200, content_type = "text/javascript", body = String)))]
#[get("/v1/provisioning/page.js")]
pub(crate) async fn script() -> HttpResponse {
    file("text/javascript; charset=utf-8", include_str!("../../assets/provisioning.js"))
}

/// Its style.
#[utoipa::path(tag = "linking", responses((status = 200, content_type = "text/css", body = String)))]
#[get("/v1/provisioning/page.css")]
pub(crate) async fn style() -> HttpResponse {
    file("text/css; charset=utf-8", include_str!("../../assets/provisioning.css"))
}

fn file(content_type: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        // The three belong together: none may be of an earlier release.
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(text)
}
