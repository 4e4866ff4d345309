//! A toy service through the path that every program takes: settings, ready line, health, guard, events, commands.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod audit;
mod commands;
mod events;
mod fake_auth;
mod guard;
mod harness;
mod toy;
