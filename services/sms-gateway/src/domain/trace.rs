//! By which id a job is followed through logs and records.

use common::models::sms::JobId;
use telemetry::TraceContext;
use uuid::Uuid;

/// Tells the trace of a job: that of its record, or else the one that its own id names, which needs no place to be kept.
pub(crate) fn of_job(id: &JobId, traceparent: Option<&str>) -> TraceContext {
    let named = || Uuid::try_parse(id.as_str()).ok().map(TraceContext::of);
    traceparent.and_then(TraceContext::parse).or_else(named).unwrap_or_else(TraceContext::random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_without_a_trace_has_that_of_its_id_each_time() {
        let id: JobId = "019ad0c5-7b1e-7c3a-9d0f-2f6a1b2c3d4e".into();
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

        assert_eq!(of_job(&id, Some(header)).to_string(), header);
        for none in [None, Some("no traceparent")] {
            assert_eq!(of_job(&id, none).trace_id(), "019ad0c57b1e7c3a9d0f2f6a1b2c3d4e");
        }
    }
}
