//! Serves what the protocols' public test suites talk to: `cargo run -p socketio --example conformance -- 3000`.
//!
//! Also something to try clients against: `/socket.io/` sends `message` back as `message-back`, and acknowledges
//! `message-with-ack`. Stops with Ctrl-C.
#![expect(clippy::print_stdout, reason = "a program that says where it listens")]

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use socketio::conformance::Conformance;
use web::{HttpSettings, InternalSettings, Server, Service, routes, shutdown_signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).map_or(Ok(3000), |port| port.parse())?;
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let http = HttpSettings { listen: local(port), ..HttpSettings::default() };
    let internal = InternalSettings { listen: local(0), ..InternalSettings::default() };
    let mut service = Service::new("conformance");
    let conformance = Conformance::default();
    service.routes = routes(move |config| {
        config.map(|config| conformance.mount(config));
    });
    let server = Server::bind(&http, &internal)?.host([service]);
    println!("listening on {}", server.http_addr());
    server.run_until(shutdown_signal()?).await?;
    Ok(())
}
