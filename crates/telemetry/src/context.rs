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

    /// The trace of this id, if it is one: 32 hex digits or a UUID, not all zero.
    fn trace(&self) -> Option<TraceContext> {
        Uuid::try_parse(&self.0).ok().filter(|id| !id.is_nil()).map(TraceContext::of)
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

    /// Makes the trace that `id` names: always the same one, for what has an id of its own and no trace.
    #[must_use]
    pub fn of(id: Uuid) -> Self {
        Self { trace: nonzero(id.as_u128()), span: nonzero(id.as_u64_pair().1.into()) as u64, flags: 1 }
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
    /// Makes the context of an incoming request from its headers, where they are there and well formed. Where one of them is
    /// missing, the other is its id as well, so that there is one to look for: nginx's `$request_id` and UUIDs are trace ids.
    #[must_use]
    pub fn from_headers(request_id: Option<&str>, traceparent: Option<&str>) -> Self {
        let request = request_id.and_then(RequestId::parse);
        let parent = traceparent.and_then(TraceContext::parse);
        let named = || request.as_ref().and_then(RequestId::trace);
        let trace = parent.map(|parent| parent.child()).or_else(named).unwrap_or_else(TraceContext::random);
        Self { request: request.unwrap_or_else(|| RequestId(trace.trace_id().into())), trace }
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

    #[test]
    fn one_header_is_the_id_of_both() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let uuid = "4bf92f35-77b3-4da6-a3ce-929d0e0e4736";
        let parent = format!("00-{id}-00f067aa0ba902b7-01");
        let none = "0".repeat(32);
        let of = |request: Option<&str>, parent: Option<&str>| {
            let context = RequestContext::from_headers(request, parent);
            (context.request.to_string(), context.trace.trace_id())
        };

        assert_eq!(of(Some(id), None), (id.into(), id.into()));
        assert_eq!(of(Some(uuid), None), (uuid.into(), id.into()));
        assert_eq!(of(None, Some(&parent)), (id.into(), id.into()));
        assert_eq!(of(Some("abc"), Some(&parent)), ("abc".into(), id.into()));
        let (request, trace) = of(None, None);
        assert_eq!(request, trace);
        for free in ["abc", none.as_str()] {
            let (request, trace) = of(Some(free), None);
            assert_eq!((request.as_str(), trace.len()), (free, 32));
            assert_ne!(trace, none);
        }
    }

    #[test]
    fn the_trace_of_an_id_is_always_the_same_and_well_formed() {
        for id in [Uuid::now_v7(), Uuid::nil()] {
            let trace = TraceContext::of(id);

            assert_eq!(trace, TraceContext::of(id));
            assert_eq!(TraceContext::parse(&trace.to_string()), Some(trace));
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
