//! Which pages of other origins may connect.

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

use super::Refused;
use crate::settings::CorsSettings;

#[derive(Debug)]
pub(super) struct Cors {
    any: bool,
    origins: Vec<String>,
    credentials: bool,
}

impl Cors {
    pub(super) fn new(settings: &CorsSettings) -> Self {
        let origins = settings.origins.iter().map(|origin| origin.trim_end_matches('/').to_owned());
        Self {
            any: settings.origins.iter().any(|origin| origin == "*"),
            origins: origins.collect(),
            credentials: settings.credentials,
        }
    }

    /// Returns the value of `Access-Control-Allow-Origin`, if the header is to be sent.
    ///
    /// A page that may not connect is refused, not only left without the header: browsers do not hold websockets to it.
    pub(super) fn judge(&self, request: &HttpRequest) -> Result<Option<HeaderValue>, Refused> {
        let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(None) };
        if self.any {
            // With credentials the Fetch standard does not let `*` stand for all.
            let all = if self.credentials { origin.clone() } else { HeaderValue::from_static("*") };
            return Ok(Some(all));
        }
        if self.origins.is_empty() {
            return Ok(None);
        }
        if self.origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()) {
            return Ok(Some(origin.clone()));
        }
        if is_own(origin, request.headers()) { Ok(None) } else { Err(Refused::BadRequest) }
    }

    /// Answers a preflight request; `None` when the request is none.
    pub(super) fn preflight(&self, request: &HttpRequest) -> Option<HttpResponse> {
        let headers = request.headers();
        if request.method() != Method::OPTIONS || !headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        {
            return None;
        }
        let mut answer = HttpResponse::NoContent();
        answer.insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"));
        answer.insert_header((header::ACCESS_CONTROL_MAX_AGE, "3600"));
        if let Some(asked) = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone()));
        }
        Some(answer.finish())
    }

    /// Adds what a page needs to read the answer.
    pub(super) fn dress(&self, origin: Option<HeaderValue>, answer: &mut HttpResponse) {
        let headers = answer.headers_mut();
        if !self.origins.is_empty() && (!self.any || self.credentials) {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        let Some(origin) = origin else { return };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.credentials {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

/// Tells whether a page came from the host that it now asks.
fn is_own(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let authority =
        origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    authority.is_some_and(|authority| host.is_some_and(|host| host.eq_ignore_ascii_case(authority)))
}
