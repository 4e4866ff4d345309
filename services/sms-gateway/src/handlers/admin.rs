//! What operators see and do, on the internal listener, by `Authorization: Bearer <internal.admin_token>`. What they do,
//! and which client's messages they look up, is in the audit log.

pub(crate) mod api_keys;
pub(crate) mod attempts;
pub(crate) mod audit;
pub(crate) mod binds;
pub(crate) mod opt_outs;
pub(crate) mod quotas;
pub(crate) mod reload;

pub(crate) use service::operators::Operator;
