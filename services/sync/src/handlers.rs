//! HTTP in, HTTP out: extract, call the domain, answer.

pub(crate) mod page;
pub(crate) mod provisioning;
