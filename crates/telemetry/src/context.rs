//! Ids of one request: `X-Request-Id` for people, `traceparent` for tracing systems.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use uuid::Uuid;

/// The id of one request, as it appears in log lines, problems and `X-Request-Id`: 1 to 64 characters of
/// `A-Z a-z 0-9 - _ .`, so that a foreign one can neither forge a log line nor break a header.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The name of the header.
    pub const HEADER: &'static str = "x-request-id";

    /// Makes a fresh id (a UUIDv4).
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4().to_string().into())
    }

    /// Takes over an id sent by a client or proxy if it is well formed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
        ((1..=64).contains(&text.len()) && text.bytes().all(allowed)).then(|| Self(text.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A position in a distributed trace: W3C Trace Context, version 00.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    flags: u8,
}

impl TraceContext {
    /// The name of the header, on HTTP and in records of the bus.
    pub const HEADER: &'static str = "traceparent";

    /// Starts a trace of its own.
    #[must_use]
    pub fn random() -> Self {
        Self { trace: nonzero(Uuid::new_v4().as_u128()), span: random_span(), flags: 1 }
    }

    /// Reads a `traceparent`: `00-<32 hex>-<16 hex>-<2 hex>`, lower case, neither id all zero. A later version with
    /// more fields is read as far as version 00 goes (Trace Context §4.3 of the processing model).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let version = hex(parts.next()?, 2)?;
        let trace = hex(parts.next()?, 32)?;
        let span = hex(parts.next()?, 16)?;
        let flags = hex(parts.next()?, 2)?;
        let more = parts.next().is_some();
        if version == 0xff || (version == 0 && more) || trace == 0 || span == 0 {
            return None;
        }
        Some(Self { trace, span: u64::try_from(span).ok()?, flags: u8::try_from(flags).ok()? & 1 })
    }

    /// A new span of the same trace: what a call made for this request carries.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { span: random_span(), ..*self }
    }

    /// The id shared by all spans of the trace, 32 hex digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }
}

fn random_span() -> u64 {
    // The low half of a UUIDv4 is random but for two fixed bits.
    nonzero(Uuid::new_v4().as_u64_pair().1.into()) as u64
}

fn nonzero(value: u128) -> u128 {
    if value == 0 { 1 } else { value }
}

/// Lower-case hex of exactly `digits` digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let lower = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
    (text.len() == digits && text.bytes().all(lower)).then(|| u128::from_str_radix(text, 16).ok())?
}

tokio::task_local! {
    static CURRENT: RequestContext;
}

/// The ids of the request that a task works on. The server runs each handler in [`RequestContext::scope`]; clients and
/// producers read [`RequestContext::current`], so that domain code need not pass ids along.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The request's id.
    pub request: RequestId,
    /// The request's place in a trace.
    pub trace: TraceContext,
}

impl RequestContext {
    /// Makes the context of an incoming request from its headers, where they are there and well formed.
    #[must_use]
    pub fn from_headers(request_id: Option<&str>, traceparent: Option<&str>) -> Self {
        Self {
            request: request_id.and_then(RequestId::parse).unwrap_or_else(RequestId::random),
            trace: traceparent
                .and_then(TraceContext::parse)
                .map_or_else(TraceContext::random, |parent| parent.child()),
        }
    }

    /// Runs `future` with this context as the current one. Tasks spawned by it have none.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }

    /// The context of the request that this task works on, if any.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_survives_parsing_and_printing() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

        let parsed = TraceContext::parse(text).unwrap();

        assert_eq!(parsed.to_string(), text);
        assert_eq!(parsed.child().trace_id(), parsed.trace_id());
        assert_ne!(parsed.child().to_string(), text);
        assert_eq!(TraceContext::parse(&TraceContext::random().to_string()).map(|_| ()), Some(()));
    }

    #[test]
    fn malformed_traceparents_are_refused() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(text), None, "{text}");
        }
        assert!(
            TraceContext::parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more").is_some()
        );
    }

    #[test]
    fn only_plain_request_ids_are_taken_over() {
        assert_eq!(RequestId::parse("abc-1_2.Z").unwrap().as_str(), "abc-1_2.Z");
        for text in ["", "a b", "a\nb", "ä", &"x".repeat(65)] {
            assert_eq!(RequestId::parse(text), None, "{text:?}");
        }
    }

    #[tokio::test]
    async fn the_context_is_seen_inside_its_scope_only() {
        let context = RequestContext::from_headers(Some("abc"), None);

        let inside = context.scope(async { RequestContext::current() }).await;

        assert_eq!(inside.unwrap().request.as_str(), "abc");
        assert!(RequestContext::current().is_none());
    }
}
