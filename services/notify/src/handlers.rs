//! HTTP in, HTTP out: extract, call the domain, answer.

mod bodies;
pub(crate) mod channels;
pub(crate) mod compat;
pub(crate) mod doors;
mod key;
pub(crate) mod messages;
pub(crate) mod operators;
pub(crate) mod page;
pub(crate) mod push;
pub(crate) mod tokens;
