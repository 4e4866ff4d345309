//! Clients before nginx, with TLS, as `deploy/nginx` has it, and the services behind it, each a process of its own on the
//! settings of `k8s/base`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod doors;
mod followed;
mod nginx;
mod tunnel;
mod world;
