//! Interfaces of other systems.

pub(crate) mod signal_server;
pub(crate) mod woosh;
