//! The Sealpost mailbox service.
fn main() {}
