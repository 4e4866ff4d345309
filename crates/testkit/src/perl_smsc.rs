//! An SMSC on Debian's Net::SMPP: a second reading of SMPP 3.4 that is not ours.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::process::{self, Daemon, InfraError, ports};

/// System id that a bind must present.
pub const SYSTEM_ID: &str = "sealpost";
/// Password that a bind must present.
pub const PASSWORD: &str = "secret";

/// The SMSC, in a process of its own. It accepts every submit_sm and sends receipts; see
/// `deploy/test-peers/perl/smsc.pl`.
#[derive(Debug)]
pub struct PerlSmsc {
    port: u16,
    running: Option<Daemon>,
    // Last, so that the folder goes after the process that writes to it.
    data: TempDir,
}

impl PerlSmsc {
    /// Starts it on a free loopback port; ready when it accepts connections.
    ///
    /// # Errors
    /// [`InfraError::NotReady`] when perl ends, as without the package `libnet-smpp-perl`: the log says so.
    pub async fn start() -> Result<Self, InfraError> {
        let (data, port) = (process::scratch("perl-smsc")?, ports::free());
        let mut smsc = Self { port, running: None, data };
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
    /// As [`PerlSmsc::start`].
    pub async fn restart(&mut self) -> Result<(), InfraError> {
        self.kill();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/test-peers/perl/smsc.pl");
        let mut perl = process::mortal("perl");
        perl.arg(script).arg(self.port.to_string()).args([SYSTEM_ID, PASSWORD]);
        let mut perl = Daemon::start("Net::SMPP", perl, self.log())?;
        let port = self.port;
        let ready = async || TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        perl.wait_ready(Duration::from_secs(30), ready).await?;
        self.running = Some(perl);
        Ok(())
    }

    /// What it has been asked so far, of one kind: `bind_transceiver` (`accepted` or `refused`), `submit_sm` (the
    /// text), `deliver_sm_resp` (the status), `unbind`.
    #[must_use]
    pub fn events(&self, kind: &str) -> Vec<String> {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        log.lines()
            .filter_map(|line| line.strip_prefix(kind))
            .map(|rest| rest.trim_start().to_owned())
            .collect()
    }

    fn log(&self) -> std::path::PathBuf {
        self.data.path().join("smsc.log")
    }
}

#[cfg(test)]
mod tests;
