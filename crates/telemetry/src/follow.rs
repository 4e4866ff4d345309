//! The lines by which one request is followed through all services.
//!
//! In: the trace of a request, wherever it has come: taken, stored, submitted, answered, delivered. Out: a line in the log
//! with `trace.id`, at level `debug` under the target [`FOLLOW`]. What must hold: unless that target is asked for
//! (`telemetry.level = "info,follow=debug"`), a step costs the look at a cached flag and allocates nothing.

/// The target of these lines: what `telemetry.level` calls them by.
pub const FOLLOW: &str = "follow";

/// Writes how far something has come that has a [`TraceContext`](crate::TraceContext): the trace, then fields and message as
/// `tracing` takes them. Fields are evaluated only when somebody reads the line; ids alone, never contents or numbers.
///
/// ```
/// let trace = telemetry::TraceContext::random();
/// telemetry::follow!(trace, kafka.offset = 7, "an SMS is taken in");
/// ```
#[macro_export]
macro_rules! follow {
    ($trace:expr, $($line:tt)+) => {
        $crate::tracing::event!(
            target: $crate::FOLLOW,
            $crate::tracing::Level::DEBUG,
            trace.id = %$trace.trace_id(),
            $($line)+
        )
    };
}

/// Tells whether anybody reads these lines, for steps that would have to keep something in order to write one.
#[must_use]
pub fn follows() -> bool {
    tracing::enabled!(target: FOLLOW, tracing::Level::DEBUG)
}
