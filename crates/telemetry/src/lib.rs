//! Logs, metrics, and the ids that tie the log lines of one request together across services.
//!
//! - [`init`] sends `tracing` events to stderr, as text or JSON; stdout stays free for what a program answers.
//! - [`metrics!`](crate::metrics!) defines a struct of series on a [`prometheus::Registry`]; its doc comments are the
//!   help texts.
//! - [`RequestId`], [`TraceContext`] and [`RequestContext`] carry `X-Request-Id` and `traceparent` (W3C Trace Context)
//!   from the incoming request to the calls made for it.
//! - [`follow!`](crate::follow!) writes the lines by which one request is found again in the logs of all services.
//!
//! What must hold: ids from outside are checked before they reach a log line or a header.

mod context;
mod follow;
mod logs;
mod series;

pub use context::{RequestContext, RequestId, TraceContext};
pub use follow::{FOLLOW, follows};
pub use logs::{LogFormat, TelemetryError, TelemetrySettings, init};
pub use prometheus;
pub use series::{Series, process_metrics};
pub use tracing;
