//! The actix shell: hosts one service or all of them behind a public and an internal listener.
//!
//! In: [`Service`]s (routes, tasks, checks, metrics) and a [`Gate`]. Out: their routes, with what every route needs
//! around it: problems for every failure ([`Failure`]), who calls ([`Caller`] and its kin), request ids and spans,
//! metrics, CORS, limits, websockets that cost little while idle ([`ws`]), health, and an orderly end ([`Server`]).
//!
//! What must hold: no failure leaves without a body of RFC 9457; no text of a fault (5xx) reaches a client; a stop
//! signal cuts no socket without a close frame and no task in its work, within the drain's deadlines.

mod asset;
mod caller;
mod chain;
mod client_addr;
mod console;
mod cors;
mod extract;
mod failure;
mod front;
mod gate;
mod health;
mod internal;
mod json;
mod limits;
mod metrics;
mod observe;
mod server;
mod service;
mod settings;
mod signals;
mod table;
pub mod ws;

pub use asset::{Asset, PAGE_POLICY, PALETTE};
pub use caller::{Caller, DeviceCaller, bearer};
pub use client_addr::{Cidr, CidrError, ClientAddr};
pub use extract::Shutdown;
pub use failure::Failure;
pub use front::Page;
pub use gate::{Gate, GateError, Watch};
pub use health::Check;
pub use internal::{AdminCaller, InternalCaller};
pub use json::{Json, parse_json};
pub use limits::{Bucket, BucketSettings, LimitSettings, Limits, RateLimited, Rule};
pub use server::{Server, ServerError};
pub use service::{BoxError, RoutesFn, Service, Task, openapi, routes};
pub use settings::{HttpSettings, InternalSettings};
pub use signals::shutdown_signal;
