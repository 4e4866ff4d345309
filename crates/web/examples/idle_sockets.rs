//! Measures what an idle websocket costs: `cargo run -p web --example idle_sockets -- 10000`.
//!
//! The server runs in this process, its peers in a second one, so that only the server's memory is counted. It is read
//! with all sockets idle, then again after each has echoed twenty messages of 400 bytes. Both processes need as many
//! open files as there are sockets (`ulimit -n`). Linux only.
#![expect(clippy::print_stdout, reason = "a program that prints its measurements")]

use std::{
    error::Error,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::{Command, Stdio},
};

use actix_web::{HttpRequest, HttpResponse, get};
use tokio::sync::oneshot;
use web::{
    Failure, HttpSettings, InternalSettings, Server, Service, routes,
    ws::{self, Message, SocketLimits},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const ECHOES: usize = 20;
const PAYLOAD: usize = 400;

#[utoipa::path(responses((status = 101)))]
#[get("/echo")]
async fn echo(request: HttpRequest) -> std::result::Result<HttpResponse, Failure> {
    ws::upgrade(&request, SocketLimits::default(), |mut socket| async move {
        while let Some(message) = socket.next().await {
            if let Message::Text(text) = message
                && socket.send_text(&text).is_err()
            {
                return;
            }
        }
    })
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["peers", address, count] => peers(address.parse()?, count.parse()?),
        [count] => measure(count.parse()?),
        _ => measure(10_000),
    }
}

fn measure(count: usize) -> Result<()> {
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let http = HttpSettings { listen: any_port, ..HttpSettings::default() };
    let internal = InternalSettings { listen: any_port, ..InternalSettings::default() };
    let mut service = Service::new("echo");
    service.routes = routes(|config| {
        config.service(echo);
    });
    let server = Server::bind(&http, &internal)?.host([service]);
    let address = server.http_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new()?;
        let stopped = async {
            // Stopped by a word or by the end of the measurement: both end the server.
            let _ = stopped.await;
        };
        runtime.block_on(server.run_until(stopped)).map_err(std::io::Error::other)
    });

    let mut peers = Command::new(std::env::current_exe()?)
        .args(["peers", &address.to_string(), &count.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = BufReader::new(peers.stdout.take().ok_or("no stdout")?).lines();
    let mut say = peers.stdin.take().ok_or("no stdin")?;
    let mut step = |what: &str, base: Option<u64>| -> Result<u64> {
        let line = said.next().ok_or("the peers ended early")??;
        // The last answers of the server are freed within its next turn.
        std::thread::sleep(std::time::Duration::from_secs(2));
        let now = resident_bytes()?;
        match base {
            None => println!("{what}: {} kB in all", now / 1000),
            Some(base) => {
                let each = now.saturating_sub(base) as f64 / count as f64;
                println!("{what} ({line}): {:.2} kB a socket", each / 1000.0);
            }
        }
        say.write_all(b"go on\n")?;
        Ok(now)
    };
    let base = step("one socket, to warm up", None)?;
    step("idle", Some(base))?;
    step(&format!("idle after {ECHOES} echoes of {PAYLOAD} bytes"), Some(base))?;
    peers.wait()?;
    drop(stop);
    running.join().map_err(|_| "the server panicked")??;
    Ok(())
}

fn resident_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

fn peers(address: SocketAddr, count: usize) -> Result<()> {
    let mut go_on = std::io::stdin().lines();
    let mut wait = |what: &str| -> Result<()> {
        println!("{what}");
        go_on.next().ok_or("the server ended early")??;
        Ok(())
    };
    let mut warm = connect(address)?;
    exchange(&mut warm)?;
    wait("1 socket")?;
    let mut sockets = (0..count).map(|_| connect(address)).collect::<Result<Vec<_>>>()?;
    wait(&format!("{count} sockets"))?;
    for socket in &mut sockets {
        exchange(socket)?;
    }
    wait(&format!("{count} sockets"))
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let mut socket = TcpStream::connect(address)?;
    socket.write_all(
        b"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    )?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte)?;
        head.extend_from_slice(&byte);
    }
    if head.starts_with(b"HTTP/1.1 101") { Ok(socket) } else { Err("the handshake was refused".into()) }
}

/// Sends masked text frames, each after the echo of the one before. A mask of zeros leaves the payload as it is.
fn exchange(socket: &mut TcpStream) -> Result<()> {
    let length = u16::try_from(PAYLOAD)?.to_be_bytes();
    let mut frame = vec![0x81, 0x80 | 126, length[0], length[1], 0, 0, 0, 0];
    frame.resize(frame.len() + PAYLOAD, b'x');
    let mut echoed = vec![0; 4 + PAYLOAD];
    for _ in 0..ECHOES {
        socket.write_all(&frame)?;
        socket.read_exact(&mut echoed)?;
    }
    Ok(())
}
