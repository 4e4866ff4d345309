//! The verbs of this service. No HTTP, no SQL text.

pub(crate) mod provisioning;
pub(crate) mod qr;
