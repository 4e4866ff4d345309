//! Delivery over websockets: who is connected, the hints that tell of something new, the session and its driver.

mod connection;
pub(crate) mod hints;
mod session;
mod sockets;

pub(crate) use connection::serve;
pub(crate) use sockets::Sockets;
