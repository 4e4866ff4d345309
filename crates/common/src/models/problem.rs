//! Problems: the one form in which every HTTP error leaves a service (RFC 9457).
//!
//! Domain errors implement [`AsProblem`]; status, slug and title follow from their [`ProblemKind`] alone. The text of
//! a 5xx stays inside.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What an error means to a caller: decides the status, and the last part of the problem's `type`.
///
/// Variants with a field take the slug of the case (`"mailbox-not-found"`); the others have one of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// 400 `invalid-request`: syntax, types, ranges.
    Invalid,
    /// 401 `unauthenticated`: no or bad credentials; never says which half was wrong.
    Unauthenticated,
    /// 401: right so far, but one more factor is needed.
    StepUp(&'static str),
    /// 403: known caller, visible resource, not allowed.
    Forbidden(&'static str),
    /// 404: absent, or the caller may not know that it exists.
    NotFound(&'static str),
    /// 405 `method-not-allowed`.
    MethodNotAllowed,
    /// 409: clash with what is stored.
    Conflict(&'static str),
    /// 410: was there, is stale now.
    Gone(&'static str),
    /// 412: the version that the caller relied on has passed.
    Precondition(&'static str),
    /// 413 `too-large`.
    TooLarge,
    /// 415 `unsupported-media-type`.
    UnsupportedMediaType,
    /// 422: well-formed, but against a rule.
    Unprocessable(&'static str),
    /// 429 `rate-limited`; carries `Retry-After`.
    RateLimited,
    /// 500 `internal`: a bug.
    Internal,
    /// 502 `bad-gateway`: a dependency said nonsense.
    BadGateway,
    /// 503 `unavailable`: a dependency is down or busy; carries `Retry-After`.
    Unavailable,
    /// 504 `timeout`: no answer in time.
    Timeout,
    /// 507: a quota is used up; nothing was stored.
    InsufficientStorage(&'static str),
}

impl ProblemKind {
    /// Gives the HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::Unauthenticated | Self::StepUp(_) => 401,
            Self::Forbidden(_) => 403,
            Self::NotFound(_) => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict(_) => 409,
            Self::Gone(_) => 410,
            Self::Precondition(_) => 412,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Unprocessable(_) => 422,
            Self::RateLimited => 429,
            Self::Internal => 500,
            Self::BadGateway => 502,
            Self::Unavailable => 503,
            Self::Timeout => 504,
            Self::InsufficientStorage(_) => 507,
        }
    }

    /// Gives the stable name of the case, the last part of `urn:problem:<slug>`.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Invalid => "invalid-request",
            Self::Unauthenticated => "unauthenticated",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::TooLarge => "too-large",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::RateLimited => "rate-limited",
            Self::Internal => "internal",
            Self::BadGateway => "bad-gateway",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::StepUp(slug)
            | Self::Forbidden(slug)
            | Self::NotFound(slug)
            | Self::Conflict(slug)
            | Self::Gone(slug)
            | Self::Precondition(slug)
            | Self::Unprocessable(slug)
            | Self::InsufficientStorage(slug) => slug,
        }
    }

    /// Gives the short text for people that goes with the status.
    pub fn title(self) -> &'static str {
        match self {
            Self::Invalid => "Invalid request",
            Self::Unauthenticated => "Not authenticated",
            Self::StepUp(_) => "Another factor is needed",
            Self::Forbidden(_) => "Not allowed",
            Self::NotFound(_) => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::Conflict(_) => "Conflict",
            Self::Gone(_) => "Gone",
            Self::Precondition(_) => "Precondition failed",
            Self::TooLarge => "Too large",
            Self::UnsupportedMediaType => "Unsupported media type",
            Self::Unprocessable(_) => "Cannot be processed",
            Self::RateLimited => "Too many requests",
            Self::Internal => "Internal error",
            Self::BadGateway => "A dependency answered wrongly",
            Self::Unavailable => "Temporarily unavailable",
            Self::Timeout => "No answer in time",
            Self::InsufficientStorage(_) => "Storage quota used up",
        }
    }

    /// Tells whether the cause is ours (5xx but for 507, which is the recipient's quota).
    pub fn is_fault(self) -> bool {
        (500..=504).contains(&self.status())
    }
}

/// An error that knows what it means to an HTTP caller. `Display` of an error that is no fault is shown to the caller.
pub trait AsProblem: std::error::Error {
    /// Gives the kind: the only table from a domain's errors to HTTP.
    fn kind(&self) -> ProblemKind;

    /// Gives further members of the body, such as `missingDevices`.
    fn extensions(&self) -> Map<String, Value> {
        Map::new()
    }

    /// Tells when to try again, for `Retry-After`.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// One fault of a request: where it is (RFC 6901 JSON pointer) and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// JSON pointer into the body, or the name of a path or query parameter.
    pub pointer: String,
    /// What is wrong, for people.
    pub detail: String,
}

/// The body of an error response, `application/problem+json` (RFC 9457 §3.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `urn:problem:<slug>`, stable; programs compare this and nothing else.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// Short text for people, the same for every problem of a kind.
    pub title: String,
    /// The HTTP status again.
    pub status: u16,
    /// What happened this time, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The request's id, to be quoted in a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The single faults of an invalid request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Further members of the kind, beside the ones above.
    #[serde(flatten)]
    #[cfg_attr(feature = "utoipa", schema(additional_properties, value_type = Object))]
    pub extensions: Map<String, Value>,
    /// When to try again: goes into `Retry-After`, not into the body.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

impl Problem {
    /// Makes the bare problem of a kind.
    pub fn new(kind: ProblemKind) -> Self {
        Self {
            type_uri: format!("urn:problem:{}", kind.slug()),
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: None,
            instance: None,
            errors: Vec::new(),
            extensions: Map::new(),
            retry_after: None,
        }
    }

    /// Makes the problem of an error; the text of a fault stays inside.
    pub fn of<E: AsProblem + ?Sized>(error: &E) -> Self {
        let kind = error.kind();
        Self {
            detail: (!kind.is_fault()).then(|| error.to_string()),
            extensions: error.extensions(),
            retry_after: error.retry_after(),
            ..Self::new(kind)
        }
    }

    /// Makes an invalid-request problem with one fault.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let error = FieldError { pointer: pointer.into(), detail: detail.into() };
        Self { errors: vec![error], ..Self::new(ProblemKind::Invalid) }
    }

    /// Sets the text of this occurrence.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Sets the request's id.
    #[must_use]
    pub fn with_instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// Gives the slug of `type`; the whole of it when it is not one of ours.
    pub fn slug(&self) -> &str {
        self.type_uri.strip_prefix("urn:problem:").unwrap_or(&self.type_uri)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.slug())
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Sample {
        #[error("mailbox holds its limit of 7 envelopes")]
        Full,
        #[error("password of the database is wrong")]
        Broken,
    }

    impl AsProblem for Sample {
        fn kind(&self) -> ProblemKind {
            match self {
                Self::Full => ProblemKind::InsufficientStorage("mailbox-full"),
                Self::Broken => ProblemKind::Unavailable,
            }
        }

        fn extensions(&self) -> Map<String, Value> {
            Map::from_iter([("limit".to_owned(), json!(7))])
        }
    }

    #[test]
    fn body_has_the_members_of_the_rfc_and_the_extensions() {
        let body = serde_json::to_value(Problem::of(&Sample::Full).with_instance("r1")).unwrap();

        assert_eq!(
            body,
            json!({"type": "urn:problem:mailbox-full", "title": "Storage quota used up", "status": 507,
                "detail": "mailbox holds its limit of 7 envelopes", "instance": "r1", "limit": 7})
        );
    }

    #[test]
    fn text_of_a_fault_stays_inside() {
        let problem = Problem::of(&Sample::Broken);

        assert_eq!((problem.status, problem.detail), (503, None));
    }

    #[test]
    fn body_is_read_back() {
        let problem = Problem::invalid("/messages/0/type", "unknown type");

        let read: Problem = serde_json::from_str(&serde_json::to_string(&problem).unwrap()).unwrap();

        assert_eq!(read, problem);
        assert_eq!(read.slug(), "invalid-request");
    }
}
