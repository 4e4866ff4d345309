//! The trace of whatever a message is about, in its header `traceparent` (W3C Trace Context), as HTTP has it.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString};
use telemetry::TraceContext;

/// Adds the header for a trace to the properties of a message: a span of its own, for each message.
#[must_use]
pub fn with_trace(properties: BasicProperties, trace: Option<TraceContext>) -> BasicProperties {
    let Some(trace) = trace else { return properties };
    let mut headers = properties.headers().clone().unwrap_or_default();
    let value = AMQPValue::LongString(LongString::from(trace.child().to_string()));
    headers.insert(TraceContext::HEADER.into(), value);
    properties.with_headers(headers)
}

/// Reads the trace of a message that has come. Whoever wrote it: what is no `traceparent` is none.
#[must_use]
pub fn trace_of(properties: &BasicProperties) -> Option<TraceContext> {
    let header = |headers: &FieldTable| match headers.inner().get(TraceContext::HEADER)? {
        AMQPValue::LongString(text) => TraceContext::parse(std::str::from_utf8(text.as_bytes()).ok()?),
        AMQPValue::ShortString(text) => TraceContext::parse(text.as_str()),
        _ => None,
    };
    properties.headers().as_ref().and_then(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_comes_back_beside_the_other_headers_and_under_another_span() {
        let trace = TraceContext::random();
        let mut headers = FieldTable::default();
        headers.insert("x-other".into(), AMQPValue::Boolean(true));

        let properties = with_trace(BasicProperties::default().with_headers(headers), Some(trace));

        let read = trace_of(&properties).unwrap();
        assert_eq!(read.trace_id(), trace.trace_id());
        assert_ne!(read, trace);
        assert!(properties.headers().as_ref().unwrap().inner().contains_key("x-other"));
        assert_eq!(with_trace(BasicProperties::default(), None), BasicProperties::default());
    }

    #[test]
    fn what_is_no_traceparent_is_none() {
        for value in [
            AMQPValue::LongString("00-1-2-03".into()),
            AMQPValue::LongString(vec![0xff; 55].into()),
            AMQPValue::ShortString("".into()),
            AMQPValue::LongInt(7),
        ] {
            let mut headers = FieldTable::default();
            headers.insert(TraceContext::HEADER.into(), value);

            assert_eq!(trace_of(&BasicProperties::default().with_headers(headers)), None);
        }
        assert_eq!(trace_of(&BasicProperties::default()), None);
    }
}
