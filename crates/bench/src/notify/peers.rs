//! The servers that ours is put beside: npm's socket.io and npm's ws, each in a process of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use testkit::process::{self, Daemon, ports};
use tokio::net::TcpStream;

use super::subscribers::Opening;
use crate::error::BenchError;

const READY_WITHIN: Duration = Duration::from_secs(30);

/// Whose server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    SocketIo,
    Ws,
}

/// A running peer.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    process: Daemon,
    // Last, so that the folder goes after the process that writes to it.
    _folder: TempDir,
}

impl Peer {
    /// Starts it on a free port. Its packages are fetched at the first use.
    ///
    /// # Errors
    /// When Node.js or npm is missing or fails.
    pub(super) async fn start(kind: Kind) -> Result<Self, BenchError> {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/bench-peers");
        if !scripts.join("node_modules").exists() {
            let mut install = Command::new("npm");
            install.args(["ci", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]).arg(&scripts);
            process::complete("npm ci", &mut install)?;
        }
        let (folder, port) = (process::scratch("bench-peer")?, ports::free());
        let name = match kind {
            Kind::SocketIo => "socket.io",
            Kind::Ws => "ws",
        };
        let mut node = process::mortal("node");
        node.arg(scripts.join("server.mjs")).arg(json!({ "kind": name, "port": port }).to_string());
        let mut process = Daemon::start(name, node, folder.path().join("log"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        process.wait_ready(READY_WITHIN, async || TcpStream::connect(address).await.is_ok()).await?;
        Ok(Self { address, process, _folder: folder })
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// How one subscribes to a peer.
pub(super) fn opening(kind: Kind) -> Opening {
    let line = |said: &str, answer: &str| (said.to_owned(), answer.to_owned());
    match kind {
        Kind::SocketIo => Opening {
            path: "/socket.io/?EIO=4&transport=websocket".to_owned(),
            greeting: Some("0{".to_owned()),
            lines: vec![line("40", "40{"), line(r#"42["join","bench"]"#, r#"42["joined"]"#)],
            notification: r#"42["message""#.to_owned(),
        },
        Kind::Ws => Opening {
            path: "/".to_owned(),
            greeting: None,
            lines: vec![line("join", "joined")],
            notification: "{".to_owned(),
        },
    }
}
