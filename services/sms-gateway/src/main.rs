//! The Sealpost sms-gateway service.
fn main() {}
