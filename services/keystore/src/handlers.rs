//! HTTP in, HTTP out: extract, call the domain, answer.

mod bodies;
pub(crate) mod devices;
pub(crate) mod keys;
