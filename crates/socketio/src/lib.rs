//! Engine.IO v4 and Socket.IO v5, as a library for servers on actix.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use socketio::{Application, Client, Event, Handled, Json, Packet, Refusal, Server, Settings};
//!
//! struct Echo;
//!
//! impl Application for Echo {
//!     fn connect(&self, client: &Client, _auth: Option<Json>) -> Handled<Result<(), Refusal>> {
//!         let known = client.namespace() == "/";
//!         if known { Ok(()) } else { Err(Refusal::invalid_namespace()) }.into()
//!     }
//!
//!     fn event(&self, client: &Client, event: Event) -> Handled<()> {
//!         let back = Packet::event("message").args(&event.args);
//!         // A client that is gone needs no echo.
//!         let _ = client.emit(&back);
//!         if let Some(ack) = event.ack {
//!             let _ = ack.send(&Packet::answer());
//!         }
//!         ().into()
//!     }
//! }
//!
//! let server = Server::new(Settings::default(), Arc::new(Echo));
//! let mut service = web::Service::new("echo");
//! service.routes = web::routes(move |config| {
//!     config.map(|config| server.mount("/socket.io/", config));
//! });
//! ```
//!
//! - [`codec`]: packets as text and bytes. Pure.
//! - [`session`]: the rules of both protocols as state machines. Pure.
//! - [`engine`]: Engine.IO on actix: long-polling, websockets, the upgrade from one to the other.
//! - [`Server`]: Socket.IO over it; [`Application`] is what a service writes, [`Client`] what it sends to.
//! - [`conformance`]: the application that the protocols' public test suites talk to.
//!
//! To send one event to many, encode it once ([`Packet::encode`]) and give it to each ([`Client::emit_encoded`]): all
//! share its bytes, and what waits for one socket goes out in one write. What a client does not read in time is bounded
//! ([`Settings`]): past that its session ends with [`Reason::SlowConsumer`], or the packet is left out if it is volatile.
//!
//! What must hold: packets of one session are dealt with in order, one at a time; nothing is sent to a namespace before
//! the reply to its CONNECT or after its DISCONNECT; `disconnected` follows each `connected`, once; what a peer sends or
//! does not read costs a bounded amount of memory; no log line and no `Debug` output shows what is sent.

mod application;
mod client;
pub mod codec;
pub mod conformance;
pub mod engine;
mod handled;
mod packet;
mod server;
pub mod session;
mod settings;
mod sid;
mod stats;

pub use application::{Application, Event, Refusal};
pub use client::{Ack, Answer, Awaited, Client};
pub use codec::Json;
pub use engine::SendError;
pub use handled::Handled;
pub use packet::{Attachment, Encoded, Packet};
pub use server::Server;
pub use session::Reason;
pub use settings::{CorsSettings, Settings};
pub use sid::Sid;
pub use stats::Stats;
