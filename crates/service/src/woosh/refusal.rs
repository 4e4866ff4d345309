//! Errors in the form of Woosh.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use common::models::AsProblem;
use serde::Serialize;
use serde_json::json;

/// An error as its clients get it.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    message: Cow<'static, str>,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// Makes one of a status and a text.
    pub fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, message: message.into(), retry_after: None }
    }

    /// Makes the 400 of a request that breaks a rule.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// Makes the 401, the same for every reason.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized")
    }

    /// Makes the 404 of a path or a user.
    pub fn not_found(message: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// Makes the refusal of an error that has no text of its own in this interface: its status, with the status's
    /// name. A fault is logged, here and once.
    pub fn of<E: AsProblem + ?Sized>(error: &E) -> Self {
        let kind = error.kind();
        let status = StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match status {
            StatusCode::INTERNAL_SERVER_ERROR => tracing::error!(%error, "request failed"),
            _ if kind.is_fault() => tracing::warn!(%error, "request failed"),
            _ => {}
        }
        let message = status.canonical_reason().unwrap_or("refused").to_ascii_lowercase();
        Self { retry_after: error.retry_after(), ..Self::new(status, message) }
    }

    /// Tells when to try again.
    #[must_use]
    pub fn retry_after(self, wait: Option<Duration>) -> Self {
        Self { retry_after: wait, ..self }
    }

    /// Writes the response. Not by way of an actix error, whose form is a problem document.
    pub fn into_response(self) -> HttpResponse {
        let Self { status, message, retry_after } = self;
        let mut response = HttpResponse::build(status);
        let later = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        if later || retry_after.is_some() {
            let wait = retry_after.map_or(1, |wait| wait.as_millis().div_ceil(1000).max(1));
            response.insert_header((header::RETRY_AFTER, wait.to_string()));
        }
        response.json(json!({"status": status.as_u16(), "message": message}))
    }
}

/// Writes what a handler has come to.
pub fn answer<T: Serialize>(success: StatusCode, outcome: Result<T, Refusal>) -> HttpResponse {
    match outcome {
        Ok(body) => HttpResponse::build(success).json(body),
        Err(refusal) => refusal.into_response(),
    }
}
