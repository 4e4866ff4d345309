//! From a domain's error to the response that the client gets.

use std::{fmt, panic::Location};

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use common::models::problem::{AsProblem, FieldError, Problem, ProblemKind};
use telemetry::RequestId;
use tracing::{debug, error, warn};

use crate::chain::chain;

/// The error of a handler: `async fn get(...) -> Result<Json<T>, Failure>`, with `?` on any error that implements
/// [`AsProblem`].
///
/// The client gets the problem alone; the text of a fault (5xx) and its causes go to the log, once.
pub struct Failure(Box<Inner>);

struct Inner {
    problem: Problem,
    /// What the log gets: the error with its causes.
    cause: Option<String>,
    allow: Option<String>,
}

impl Failure {
    fn new(problem: Problem, cause: Option<String>) -> Self {
        Self(Box::new(Inner { problem, cause, allow: None }))
    }

    /// Makes the failure that answers `problem` as it is.
    pub fn problem(problem: Problem) -> Self {
        Self::new(problem, None)
    }

    /// Makes a 500 of something that cannot happen; `cause` goes to the log only.
    #[track_caller]
    pub fn internal(cause: impl fmt::Display) -> Self {
        let cause = format!("{cause} (at {})", Location::caller());
        Self::new(Problem::new(ProblemKind::Internal), Some(cause))
    }

    /// Makes a 400 about one place of the request: a JSON pointer, or the name of a parameter.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::problem(Problem::invalid(pointer, detail))
    }

    /// Makes a 503 of something that there is no room for at the moment.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::problem(Problem::new(ProblemKind::Unavailable).with_detail(detail))
    }

    pub(crate) fn method_not_allowed(allow: String) -> Self {
        let problem =
            Problem::new(ProblemKind::MethodNotAllowed).with_detail(format!("this path takes {allow}"));
        Self(Box::new(Inner { problem, cause: None, allow: Some(allow) }))
    }

    /// Takes over an error of actix's own.
    pub(crate) fn foreign(error: &actix_web::Error) -> Self {
        let kind = match error.as_response_error().status_code() {
            StatusCode::PAYLOAD_TOO_LARGE => ProblemKind::TooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ProblemKind::UnsupportedMediaType,
            StatusCode::NOT_FOUND => ProblemKind::NotFound("not-found"),
            status if status.is_client_error() => ProblemKind::Invalid,
            _ => ProblemKind::Internal,
        };
        let text = error.to_string();
        let problem = Problem::new(kind);
        if kind.is_fault() {
            Self::new(problem, Some(text))
        } else {
            Self::problem(problem.with_detail(text))
        }
    }

    /// Returns the problem that the client gets.
    pub fn as_problem(&self) -> &Problem {
        &self.0.problem
    }

    /// Adds single faults, as [`FieldError`]s of an invalid request.
    #[must_use]
    pub fn with_errors(mut self, errors: impl IntoIterator<Item = FieldError>) -> Self {
        self.0.problem.errors.extend(errors);
        self
    }

    /// Writes the response for the request `instance`.
    pub(crate) fn respond(&self, instance: Option<&RequestId>) -> HttpResponse {
        let mut problem = self.0.problem.clone();
        problem.instance = instance.map(ToString::to_string);
        let mut response = HttpResponse::build(self.status_code());
        response.content_type("application/problem+json");
        if problem.status == 401 {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(allow) = &self.0.allow {
            response.insert_header((header::ALLOW, allow.as_str()));
        }
        if let Some(seconds) = retry_after_seconds(&problem) {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        // A problem always has a form in JSON; its status says enough otherwise.
        response.body(serde_json::to_vec(&problem).unwrap_or_default())
    }

    /// Logs the failure, once, within the request's span.
    pub(crate) fn log(&self) {
        let Inner { problem, cause, .. } = &*self.0;
        let (status, slug, cause) = (problem.status, problem.slug(), cause.as_deref().unwrap_or_default());
        match status {
            500 => error!(status, slug, cause, "request failed"),
            502..=504 => warn!(status, slug, cause, "request failed"),
            _ => debug!(status, slug, "request refused"),
        }
    }
}

/// `Retry-After` of a problem: rounded up, and never missing where the status calls for it.
fn retry_after_seconds(problem: &Problem) -> Option<u64> {
    let asked =
        problem.retry_after.map(|wait| wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX));
    asked.or_else(|| matches!(problem.status, 429 | 503).then_some(1))
}

impl<E: AsProblem + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let cause = error.kind().is_fault().then(|| chain(&error));
        Self::new(Problem::of(&error), cause)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Failure").field("problem", &self.0.problem.slug()).finish_non_exhaustive()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.problem.fmt(formatter)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The response without the request's id, which the observing middleware adds.
    fn error_response(&self) -> HttpResponse {
        self.respond(None)
    }
}

impl actix_web::Responder for Failure {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &actix_web::HttpRequest) -> HttpResponse {
        HttpResponse::from_error(self)
    }
}
