//! Delivery over websockets: who is connected, the hints that tell of something new, the patrol
//! that makes up for those that are lost, the session and its driver.

mod connection;
pub(crate) mod hints;
pub(crate) mod patrol;
mod session;
mod sockets;

pub(crate) use connection::serve;
pub(crate) use sockets::Sockets;
