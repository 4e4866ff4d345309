//! HTTP in, HTTP out: extract, call the domain, answer.

pub(crate) mod batch;
pub(crate) mod blocks;
mod bodies;
pub(crate) mod compat;
pub(crate) mod internal;
pub(crate) mod messages;
pub(crate) mod operators;
mod sending;
pub(crate) mod websocket;
