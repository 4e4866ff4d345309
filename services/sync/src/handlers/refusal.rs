//! Errors on the wire of the gateway server: bare texts, which its apps compare.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use common::models::{AsProblem, ProblemKind};

use crate::domain::SyncError;
use crate::users::UserApiError;

/// An error as an app gets it.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    text: &'static str,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// A 400 with a text.
    pub(super) fn bad_request(text: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text, retry_after: None }
    }

    /// A body that is larger than any that is sent for a reason.
    pub(super) fn too_large() -> Self {
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, text: "body too large", retry_after: None }
    }

    /// From an error to this wire: the only table. `unknown` is what the call says of a session that does not exist.
    pub(super) fn of(error: &SyncError, unknown: &'static str) -> Self {
        let (status, text) = match error {
            SyncError::NoSession | SyncError::NoUser | SyncError::NoDevice => {
                (StatusCode::BAD_REQUEST, unknown)
            }
            SyncError::BadKey(_) => (StatusCode::BAD_REQUEST, "invalid public key"),
            SyncError::KeyIsSet => (StatusCode::CONFLICT, "public key already set"),
            SyncError::Undecryptable | SyncError::Unencryptable(_) => {
                (StatusCode::BAD_REQUEST, "error with decryption")
            }
            SyncError::WrongPassword => (StatusCode::UNAUTHORIZED, "failed to authenticate"),
            SyncError::TooManyGuesses { .. } | SyncError::Limited(_) => {
                (StatusCode::TOO_MANY_REQUESTS, "too many requests")
            }
            SyncError::Accounts(_)
            | SyncError::Busy
            | SyncError::Sealed(_)
            | SyncError::Random(_)
            | SyncError::Db(_) => {
                // Documented: 500 and nothing. What is ours and may pass soon is told apart from that.
                let ours =
                    !matches!(error, SyncError::Accounts(api) if !matches!(api, UserApiError::Auth(_)));
                let status = match error.kind() {
                    ProblemKind::Unavailable if ours => StatusCode::SERVICE_UNAVAILABLE,
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                };
                tracing::warn!(%error, "request failed");
                (status, "")
            }
        };
        let soon = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(Duration::from_secs(1));
        Self { status, text, retry_after: error.retry_after().or(soon) }
    }

    /// Writes the response. Not by way of an actix error, whose form is a problem document.
    pub(super) fn into_response(self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(wait) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, wait.as_millis().div_ceil(1000).max(1).to_string()));
        }
        response.content_type(header::ContentType::plaintext()).body(self.text)
    }
}
