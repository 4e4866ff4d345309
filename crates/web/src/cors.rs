//! Cross-origin calls (Fetch standard): which pages of other origins may call the public listener.

use std::sync::Arc;

use actix_web::{
    HttpResponse,
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
};

/// Answer headers that a page may read beside the safelisted ones.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "idempotent-replay, link, location, retry-after, x-page, x-per-page, x-request-id, x-server-timestamp, \
     x-total-count",
);
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");

/// The origins of `[http] cors_origins`. Credentials travel in `Authorization`, never in cookies, so
/// `Access-Control-Allow-Credentials` is not sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cors {
    any: bool,
    origins: Arc<[String]>,
}

impl Cors {
    pub(crate) fn new(origins: &[String]) -> Self {
        let origins: Arc<[String]> =
            origins.iter().map(|origin| origin.trim_end_matches('/').to_owned()).collect();
        Self { any: origins.iter().any(|origin| origin == "*"), origins }
    }

    /// Returns the value of `Access-Control-Allow-Origin` for a request, if its origin may call.
    pub(crate) fn allowed(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let origin = request.get(header::ORIGIN)?;
        if self.any {
            return Some(HeaderValue::from_static("*"));
        }
        let named = self.origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes());
        named.then(|| origin.clone())
    }

    /// Answers a preflight request; `None` when the request is none.
    pub(crate) fn preflight(&self, method: &Method, request: &HeaderMap) -> Option<HttpResponse> {
        if method != Method::OPTIONS || !request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        self.allowed(request)?;
        let mut answer = HttpResponse::NoContent();
        answer.insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS));
        answer.insert_header((header::ACCESS_CONTROL_MAX_AGE, "3600"));
        if let Some(headers) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, headers.clone()));
        }
        Some(answer.finish())
    }

    /// Adds what an allowed page needs to read the answer.
    pub(crate) fn dress(&self, allowed: Option<HeaderValue>, answer: &mut HeaderMap) {
        if !self.any && !self.origins.is_empty() {
            answer.append(header::VARY, HeaderValue::from_name(HeaderName::from_static("origin")));
        }
        if let Some(allowed) = allowed {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}
