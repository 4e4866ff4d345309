//! The Sealpost keystore service.
fn main() {}
