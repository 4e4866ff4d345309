//! What the two halves of the interface of Woosh share: `/users` in auth, `/messages` in mailbox.
//!
//! In: header credentials, bodies and queries as its clients send them. Out: its answers and its errors, `{"status",
//! "message"}` for every one.
//!
//! What must hold: below its paths nothing answers in another form, whatever method or body comes; no text of a fault
//! reaches a client.

mod refusal;
mod request;

use std::time::Duration;

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use serde::Deserialize;

pub use refusal::{Refusal, answer};
pub use request::{Body, Credentials, Fields, MAX_CHARACTERS, query, text};

/// The section `[compat.woosh]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WooshSettings {
    /// Whether `/users` and `/messages` are served.
    pub enabled: bool,
    /// How long auth remembers that a name and a password belong together, so that not every request costs a password
    /// hash. A changed password, a second factor and a deleted account count at once all the same.
    #[serde(with = "humantime_serde")]
    pub credential_ttl: Duration,
    /// How many of them it remembers.
    pub credentials: usize,
}

impl Default for WooshSettings {
    fn default() -> Self {
        Self { enabled: true, credential_ttl: Duration::from_secs(60), credentials: 10_000 }
    }
}

/// Takes what no handler of `path` takes: OPTIONS, and methods that are not among `allowed`. Goes after the handlers.
pub fn rest(path: &'static str, allowed: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move |request: HttpRequest| async move {
        if request.method() == Method::OPTIONS {
            return HttpResponse::Ok().insert_header((header::ALLOW, allowed)).finish();
        }
        let mut refused = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method not allowed").into_response();
        refused.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(allowed));
        refused
    }))
}

/// Takes what is below `path` and no route of it, `path` with a slash at its end included.
pub fn nothing_below(path: &str) -> Resource {
    web::resource(format!("{path}/{{rest:.*}}"))
        .to(|| async { Refusal::not_found("not found").into_response() })
}
