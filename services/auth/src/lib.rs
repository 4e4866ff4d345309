//! The Sealpost auth service.
