//! HTTP in, HTTP out: extract, call the domain, answer.

mod bodies;
mod checks;
pub(crate) mod compat;
pub(crate) mod devices;
pub(crate) mod keys;
pub(crate) mod operators;
