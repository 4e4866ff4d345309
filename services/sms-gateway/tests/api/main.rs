//! The gateway as a whole: real app, real database of both kinds, embedded bus, SMSC simulator.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod audited;
mod binds;
mod cases;
mod contract;
mod counted;
mod deadlines;
mod delivery;
mod draining;
mod fail_over;
mod fleet;
mod harness;
mod http;
mod inbound;
mod openapi;
mod operation;
mod operators;
mod outcomes;
mod plans;
mod providers;
mod quotas;
mod recovery;
mod report;
mod routes;
mod sealed;
mod secrecy;
mod webhooks;
