//! The Sealpost keystore service.
