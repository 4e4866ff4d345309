//! Ports for servers that are started, killed and started again on the same address.

use std::net::{Ipv4Addr, TcpListener};

/// Finds a free loopback port below the range from which the kernel takes the ports of outgoing connections.
///
/// A port of that range would be lost while its server is down: a client that tries to reconnect may be given that
/// very port, and then is connected to itself. Candidates are random, so that parallel runs seldom meet.
#[must_use]
pub fn free() -> u16 {
    const LOWEST: u16 = 12_000;
    const COUNT: u16 = 20_000;
    loop {
        let [a, b, ..] = uuid::Uuid::new_v4().into_bytes();
        let port = LOWEST + u16::from_be_bytes([a, b]) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
