//! Rolling restarts under load, as Kubernetes does them: nothing that was accepted is lost, and clients hardly notice.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it has done"
)]

mod app;
mod deployment;
#[path = "../common/device.rs"]
mod device;
#[path = "../common/installation.rs"]
mod installation;
mod intake;
mod journal;
mod keys;
mod messages;
#[expect(dead_code, reason = "the suite of the ingress reads more of it")]
#[path = "../common/nginx.rs"]
mod nginx;
mod notifications;
mod restarts;
mod service;
mod sessions;
mod sms;
#[expect(dead_code, reason = "the suite of the gateway asks it for more")]
#[path = "../sms/statuses.rs"]
mod statuses;
mod synchronizing;
#[path = "../common/tunnel.rs"]
mod tunnel;
mod world;
