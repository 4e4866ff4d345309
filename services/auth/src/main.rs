//! The Sealpost auth service.
fn main() {}
