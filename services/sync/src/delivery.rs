//! Showing a session to whoever is connected: what is sent when, and the websocket that does it.

mod connection;
mod frames;
mod watcher;

pub(crate) use connection::{Subscription, serve};
pub(crate) use frames::{Base, verification_path};
