//! An error as these clients get it: a status and a text, or JSON with the text under `error`.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use common::models::AsProblem;
use serde_json::json;

use crate::domain::RelayError;

/// A refusal. Not an actix error, whose form is a problem document.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    text: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// A request that is not what the interface says.
    pub(super) fn invalid(text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: text.into(), retry_after: None }
    }

    /// Writes the response as text.
    pub(super) fn into_text(self) -> HttpResponse {
        let text = self.text.clone();
        self.head().content_type("text/plain; charset=utf-8").body(text)
    }

    /// Writes the response as the lists of version 3 do.
    pub(super) fn into_json(self) -> HttpResponse {
        let body = json!({"error": self.text});
        self.head().json(body)
    }

    fn head(self) -> actix_web::HttpResponseBuilder {
        let mut response = HttpResponse::build(self.status);
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"sealpost\""));
        }
        if let Some(wait) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, wait.as_millis().div_ceil(1000).max(1).to_string()));
        }
        response
    }
}

/// From an error to this wire: the only table. The text of a fault stays inside.
impl From<RelayError> for Refusal {
    fn from(error: RelayError) -> Self {
        let kind = error.kind();
        let status = StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let text = if kind.is_fault() {
            tracing::warn!(%error, "request failed");
            kind.title().to_owned()
        } else {
            error.to_string()
        };
        Self { status, text, retry_after: error.retry_after() }
    }
}
