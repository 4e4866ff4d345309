//! Ports for servers that are started, killed and started again on the same address.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, TcpListener},
    os::{linux::net::SocketAddrExt, unix::net},
    sync::Mutex,
};

/// Finds a free loopback port below the range from which the kernel takes the ports of outgoing connections. It is this
/// process's until the process ends, also while no server listens there: nobody else is given it by this function.
///
/// A port of the kernel's range would be lost while its server is down: a client that tries to reconnect may be given
/// that very port, and then is connected to itself.
///
/// # Panics
/// When the kernel makes no abstract socket to name the port with.
#[must_use]
pub fn free() -> u16 {
    const LOWEST: u16 = 12_000;
    const COUNT: u16 = 20_000;
    // A server takes seconds to start, and parallel tests look for ports meanwhile: so a port is claimed by a name that
    // only one process has, and that goes with it however it ends.
    static CLAIMS: Mutex<Vec<net::UnixListener>> = Mutex::new(Vec::new());
    loop {
        let [a, b, ..] = uuid::Uuid::new_v4().into_bytes();
        let port = LOWEST + u16::from_be_bytes([a, b]) % COUNT;
        let name = net::SocketAddr::from_abstract_name(format!("sealpost-test-port-{port}"));
        let claim = match net::UnixListener::bind_addr(&name.expect("a short name")) {
            Ok(claim) => claim,
            Err(error) if error.kind() == ErrorKind::AddrInUse => continue,
            Err(error) => panic!("port {port} cannot be claimed: {error}"),
        };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            CLAIMS.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(claim);
            return port;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_is_given_once_also_while_nobody_listens() {
        let port = free();

        let name = net::SocketAddr::from_abstract_name(format!("sealpost-test-port-{port}")).unwrap();
        assert!(net::UnixListener::bind_addr(&name).is_err(), "another process could claim it");
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    }
}
