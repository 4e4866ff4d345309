//! What callers see: extract, call the domain, answer.

mod basic;
mod bodies;
pub(crate) mod broker_access;
pub(crate) mod compat;
pub(crate) mod gateway_clients;
pub(crate) mod internal;
mod operator;
