//! Interfaces of other systems, over the same domain.

pub(crate) mod signal_server;
pub(crate) mod signal_server_calls;
pub(crate) mod woosh;
pub(crate) mod woosh_calls;
