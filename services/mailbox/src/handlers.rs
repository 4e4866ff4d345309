//! HTTP in, HTTP out: extract, call the domain, answer.

mod bodies;
pub(crate) mod internal;
pub(crate) mod messages;
pub(crate) mod websocket;
