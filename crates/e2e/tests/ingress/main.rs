//! Clients before nginx, with TLS, as `deploy/nginx` has it, and the services behind it, each a process of its own on the
//! settings of `k8s/base`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/device.rs"]
mod device;
mod doors;
mod followed;
#[expect(dead_code, reason = "the suite of rolling restarts looks into it")]
#[path = "../common/installation.rs"]
mod installation;
#[path = "../common/nginx.rs"]
mod nginx;
#[path = "../common/tunnel.rs"]
mod tunnel;
mod world;
