//! Kannel (Debian's package `kannel`): an ESME that is not ours, to test our SMSC simulator against.
//!
//! bearerbox keeps the bind; smsbox takes messages over HTTP and calls URLs with receipts and messages from handsets.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::http::{Answer, TestClient};
use crate::process::{self, Daemon, InfraError, ports};

const READY_WITHIN: Duration = Duration::from_secs(30);

/// What Kannel is to do.
#[derive(Clone, Debug)]
pub struct KannelSettings {
    /// Port of the SMSC on 127.0.0.1.
    pub smsc_port: u16,
    /// Who binds, as transceiver.
    pub system_id: String,
    /// Its password.
    pub password: String,
    /// Called with each message from a handset; Kannel's escapes are filled in, such as `%p` (sender) and `%a` (text).
    pub handset_url: String,
}

/// A running Kannel; killed when dropped.
#[derive(Debug)]
pub struct Kannel {
    /// Base URL of smsbox, whose `sendsms` takes the user `test` with the password `test`.
    pub url: String,
    http: TestClient,
    // In this order: smsbox is a client of bearerbox.
    _smsbox: Daemon,
    _bearerbox: Daemon,
    // Last, so that the folder goes after the processes that write to it.
    _data: TempDir,
}

impl Kannel {
    /// Starts both boxes on free loopback ports; ready when smsbox listens. The bind may still be under way.
    ///
    /// # Errors
    /// [`InfraError::NotReady`] when a box ends, as without the package `kannel`: the log says so.
    pub async fn start(settings: &KannelSettings) -> Result<Self, InfraError> {
        let data = process::scratch("kannel")?;
        let (boxes, sends) = (ports::free(), ports::free());
        let file = data.path().join("kannel.conf");
        std::fs::write(&file, configuration(settings, boxes, sends))
            .map_err(|error| InfraError::Io("kannel.conf", error))?;
        let bearerbox = start("bearerbox", &file, boxes).await?;
        let smsbox = start("smsbox", &file, sends).await?;
        let url = format!("http://127.0.0.1:{sends}");
        Ok(Self {
            http: TestClient::new(url.clone()),
            url,
            _smsbox: smsbox,
            _bearerbox: bearerbox,
            _data: data,
        })
    }

    /// Hands a message to smsbox: `to`, `from`, `text`, `coding`, `charset`, `dlr-mask`, `dlr-url` and whatever else its
    /// `sendsms` knows.
    pub async fn send(&self, parameters: &[(&str, &str)]) -> Answer {
        let user = [("username", "test"), ("password", "test")];
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(user.iter().chain(parameters));
        self.http.get(&format!("/cgi-bin/sendsms?{}", query.finish())).await
    }
}

async fn start(name: &'static str, file: &Path, port: u16) -> Result<Daemon, InfraError> {
    let mut command = process::mortal(format!("/usr/sbin/{name}"));
    command.arg(file);
    let mut daemon = Daemon::start(name, command, file.with_file_name(format!("{name}.log")))?;
    let listens = async || TcpStream::connect(("127.0.0.1", port)).await.is_ok();
    daemon.wait_ready(READY_WITHIN, listens).await?;
    Ok(daemon)
}

/// Groups are parted by blank lines. Every port is on loopback; the administration has one as it must.
fn configuration(settings: &KannelSettings, boxes: u16, sends: u16) -> String {
    let KannelSettings { smsc_port, system_id, password, handset_url } = settings;
    let admin = ports::free();
    format!(
        "group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = {}
smsbox-port = {boxes}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
sms-resend-freq = 1

group = smsc
smsc = smpp
smsc-id = simulator
interface-version = 34
host = 127.0.0.1
port = {smsc_port}
transceiver-mode = true
smsc-username = {system_id}
smsc-password = {password}
system-type = kannel
enquire-link-interval = 1
reconnect-delay = 1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sends}
sendsms-interface = 127.0.0.1

group = sendsms-user
username = test
password = test
concatenation = true
max-messages = 10

group = sms-service
keyword = default
catch-all = true
max-messages = 0
get-url = \"{handset_url}\"
",
        uuid::Uuid::new_v4()
    )
}

#[cfg(test)]
mod tests;
