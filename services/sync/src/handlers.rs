//! HTTP in, HTTP out: extract, call the domain, answer.

pub(crate) mod devices;
pub(crate) mod internal;
mod lenient_json;
pub(crate) mod page;
pub(crate) mod provisioning;
mod refusal;
pub(crate) mod sessions;
pub(crate) mod websocket;
