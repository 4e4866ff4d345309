//! Adapters: the wire of other systems over verbs of this service.

pub(crate) mod signal_server;
