//! SMSCs that are not ours: independent readings of SMPP 3.4 for the client to be tested against.
//!
//! Each is a small program on a library of another hand, in a process of its own, to be killed and started at will. All
//! take the same settings, and say what they are asked in the same words.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::peers;
use crate::process::{self, Daemon, InfraError, ports};

/// System id that a bind must present.
pub const SYSTEM_ID: &str = "sealpost";
/// Password that a bind must present.
pub const PASSWORD: &str = "secret";

const READY_WITHIN: Duration = Duration::from_secs(30);

/// Whose reading of SMPP it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// npm's `smpp` (node-smpp), JavaScript.
    Node,
    /// Debian's `libnet-smpp-perl` (Net::SMPP), Perl.
    Perl,
    /// PyPI's `smpp34`, Rust under Python. It lets every login in.
    Smpp34,
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Node => "node-smpp",
            Self::Perl => "Net::SMPP",
            Self::Smpp34 => "smpp34",
        }
    }

    /// The program that serves, without its settings.
    fn program(self) -> Result<Command, InfraError> {
        match self {
            Self::Node => peers::node("smsc.mjs"),
            Self::Perl => Ok(peers::perl("smsc.pl")),
            Self::Smpp34 => peers::python("smsc.py"),
        }
    }
}

/// An SMSC. It accepts every submit_sm and sends receipts that say "delivered".
#[derive(Debug)]
pub struct PeerSmsc {
    peer: Peer,
    port: u16,
    running: Option<Daemon>,
    // Last, so that the folder goes after the process that writes to it.
    data: TempDir,
}

impl PeerSmsc {
    /// Starts it on a free loopback port; ready when it accepts connections.
    ///
    /// # Errors
    /// [`InfraError::Missing`] before `npm ci` has been run; [`InfraError::NotReady`] when it ends, as without a library
    /// that it needs: the log says so.
    pub async fn start(peer: Peer) -> Result<Self, InfraError> {
        let (data, port) = (process::scratch("smsc")?, ports::free());
        let mut smsc = Self { peer, port, running: None, data };
        smsc.restart().await?;
        Ok(smsc)
    }

    /// Its port on 127.0.0.1; the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it with SIGKILL.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Starts it again on the same port; kills it first if it runs.
    ///
    /// # Errors
    /// As [`PeerSmsc::start`].
    pub async fn restart(&mut self) -> Result<(), InfraError> {
        self.kill();
        let (peer, port) = (self.peer, self.port);
        let making = tokio::task::spawn_blocking(move || peer.program());
        let mut program = making.await.map_err(|error| InfraError::Io(peer.name(), error.into()))??;
        program.arg(json!({ "port": port, "systemId": SYSTEM_ID, "password": PASSWORD }).to_string());
        let mut smsc = Daemon::start(peer.name(), program, self.log())?;
        let ready = async || TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        smsc.wait_ready(READY_WITHIN, ready).await?;
        self.running = Some(smsc);
        Ok(())
    }

    /// What it has been asked so far, of one kind: `bind_transceiver` (`systemId`, `accepted`), `submit_sm` (`id`, `to`,
    /// `text`), `deliver_sm_resp` (`status`), `unbind`.
    #[must_use]
    pub fn events(&self, kind: &str) -> Vec<Value> {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.filter(|event| event["event"] == kind).collect()
    }

    /// The texts that were submitted, in their order.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        let text = |event: &Value| event["text"].as_str().unwrap_or_default().to_owned();
        self.events("submit_sm").iter().map(text).collect()
    }

    /// How many binds it has accepted.
    #[must_use]
    pub fn binds(&self) -> usize {
        self.events("bind_transceiver").iter().filter(|bind| bind["accepted"] == true).count()
    }

    fn log(&self) -> PathBuf {
        self.data.path().join("smsc.log")
    }
}

#[cfg(test)]
mod tests;
