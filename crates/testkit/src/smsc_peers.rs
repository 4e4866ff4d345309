//! SMSCs that are not ours: an independent reading of SMPP 3.4 for the client to be tested against.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::process::{self, Daemon, InfraError, ports};

/// What the SMSC does; fields as `deploy/test-peers/npm/smsc.mjs` describes them.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeSmscSettings {
    /// System id that a bind must present.
    pub system_id: String,
    /// Password that a bind must present.
    pub password: String,
    /// Command status of every `submit_sm_resp`; 0 accepts.
    pub status: u32,
    /// State in the delivery receipts (`DELIVRD`, `UNDELIV`, ...); none are sent without it.
    pub receipts: Option<&'static str>,
    /// Milliseconds before a submit is answered.
    pub hold_ms: u64,
}

impl Default for NodeSmscSettings {
    fn default() -> Self {
        let (system_id, password) = ("sealpost".to_owned(), "secret".to_owned());
        Self { system_id, password, status: 0, receipts: Some("DELIVRD"), hold_ms: 0 }
    }
}

/// An SMSC on npm's `smpp` (node-smpp), in a process of its own.
#[derive(Debug)]
pub struct NodeSmsc {
    settings: NodeSmscSettings,
    port: u16,
    running: Option<Daemon>,
    // Last, so that the folder goes after the process that writes to it.
    data: TempDir,
}

impl NodeSmsc {
    /// Starts it on a free loopback port; ready when it accepts connections.
    ///
    /// # Errors
    /// [`InfraError::Missing`] before `npm ci` has been run, [`InfraError::NotReady`] when node ends.
    pub async fn start(settings: NodeSmscSettings) -> Result<Self, InfraError> {
        let (data, port) = (process::scratch("smsc")?, ports::free());
        let mut smsc = Self { settings, port, running: None, data };
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
    /// As [`NodeSmsc::start`].
    pub async fn restart(&mut self) -> Result<(), InfraError> {
        self.kill();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/test-peers/npm");
        if !folder.join("node_modules/smpp").exists() {
            let hint = format!("run `npm ci` in {}", folder.display());
            return Err(InfraError::Missing { what: "npm package smpp".to_owned(), hint });
        }
        let mut arguments = serde_json::to_value(&self.settings).unwrap_or_default();
        arguments["port"] = self.port.into();
        let mut node = process::mortal("node");
        node.arg(folder.join("smsc.mjs")).arg(arguments.to_string());
        let mut node = Daemon::start("node-smpp", node, self.log())?;
        let port = self.port;
        let ready = async || TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        node.wait_ready(Duration::from_secs(30), ready).await?;
        self.running = Some(node);
        Ok(())
    }

    /// What it has been asked so far, of one kind: `submit_sm` (`id`, `from`, `to`, `coding`, `esmClass`, `text`, `udh`),
    /// `bind_transceiver` (`systemId`, `accepted`), `deliver_sm_resp` (`id`, `status`), `closed`, `error`.
    #[must_use]
    pub fn events(&self, kind: &str) -> Vec<Value> {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.filter(|event| event["event"] == kind).collect()
    }

    fn log(&self) -> std::path::PathBuf {
        self.data.path().join("smsc.log")
    }
}

#[cfg(test)]
mod tests {
    use smpp::codec::{Address, CommandStatus, SubmitSm};
    use smpp::esme::{Esme, EsmeSettings, Event, Password, Submission};
    use tokio::sync::mpsc::Receiver;

    use super::*;
    use crate::wait::{DEADLINE, wait_until};

    fn esme(smsc: &NodeSmsc, password: &str) -> (Esme, Receiver<Event>) {
        Esme::spawn(EsmeSettings {
            port: smsc.port(),
            system_id: "sealpost".into(),
            password: Password::new(password),
            reconnect_min: Duration::from_millis(20),
            reconnect_max: Duration::from_millis(100),
            ..EsmeSettings::default()
        })
    }

    async fn next(events: &mut Receiver<Event>) -> Event {
        tokio::time::timeout(DEADLINE, events.recv()).await.unwrap().unwrap()
    }

    fn submission(token: u64) -> Submission {
        let address = |value: &str| Address { ton: 1, npi: 1, value: value.into() };
        let pdu = SubmitSm {
            source: address("1000"),
            destination: address("255700000001"),
            registered_delivery: 1,
            short_message: b"hello".to_vec(),
            ..SubmitSm::default()
        };
        Submission { token, pdu }
    }

    #[tokio::test]
    async fn our_esme_is_bound_by_node_smpp_and_gets_its_receipt() {
        let smsc = NodeSmsc::start(NodeSmscSettings::default()).await.unwrap();
        let (esme, mut events) = esme(&smsc, "secret");
        assert!(matches!(next(&mut events).await, Event::Bound { .. }));

        esme.submit(vec![submission(7)]).await.unwrap();

        let Event::Responded(response) = next(&mut events).await else { panic!("no response") };
        assert_eq!((response.token, response.status), (7, CommandStatus::ROK));
        let Event::Deliver(delivery) = next(&mut events).await else { panic!("no receipt") };
        assert!(delivery.message.is_receipt());
        assert_eq!(delivery.message.tlvs.receipted_message_id(), Some(response.message_id.as_str()));
        delivery.answer(CommandStatus::ROK);
        wait_until("the answer", || async { smsc.events("deliver_sm_resp").len() == 1 }).await;
        assert_eq!(smsc.events("submit_sm")[0]["text"], "hello");
        assert_eq!(smsc.events("submit_sm")[0]["to"], "255700000001");
    }

    #[tokio::test]
    async fn node_smpp_refuses_a_wrong_password() {
        let smsc = NodeSmsc::start(NodeSmscSettings::default()).await.unwrap();

        let (_esme, _events) = esme(&smsc, "wrong");

        wait_until("a bind", || async { !smsc.events("bind_transceiver").is_empty() }).await;
        assert!(smsc.events("bind_transceiver").iter().all(|bind| bind["accepted"] == false));
    }

    #[tokio::test]
    async fn esme_is_bound_again_after_node_smpp_was_killed() {
        let mut smsc = NodeSmsc::start(NodeSmscSettings::default()).await.unwrap();
        let (_esme, mut events) = esme(&smsc, "secret");
        assert!(matches!(next(&mut events).await, Event::Bound { .. }));

        smsc.kill();
        assert!(matches!(next(&mut events).await, Event::Unbound { .. }));
        smsc.restart().await.unwrap();

        assert!(matches!(next(&mut events).await, Event::Bound { .. }));
    }
}
