//! The Sealpost mailbox service.
