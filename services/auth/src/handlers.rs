//! HTTP in, HTTP out: extract, call the domain, answer.

pub(crate) mod accounts;
mod bodies;
pub(crate) mod compat;
pub(crate) mod internal;
pub(crate) mod invites;
pub(crate) mod links;
pub(crate) mod mail;
pub(crate) mod phone;
pub(crate) mod sessions;
pub(crate) mod totp;
