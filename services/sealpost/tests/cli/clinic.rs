//! A standalone whose SMS go to an operator that shows what reached it.

use std::time::Duration;

use smpp::smsc::{Behaviour, IdFormat, Receipts, Smsc, SmscSettings};
use testkit::kafka::{bootstrap, create_topic, unique};

use crate::program::{Ended, Place};
use crate::serving::Standalone;

/// How messages get to the gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    Http,
    Kafka,
}

/// The client `demo`, its gateway, and the operator behind it.
pub(crate) struct Clinic {
    pub(crate) place: Place,
    pub(crate) server: Standalone,
    pub(crate) smsc: Smsc,
    kafka: Option<Topics>,
}

/// Topics of one clinic alone.
pub(crate) struct Topics {
    pub(crate) brokers: &'static str,
    pub(crate) requests: String,
    pub(crate) statuses: String,
    pub(crate) inbound: String,
}

/// The client's number.
pub(crate) const NUMBER: &str = "15050";

impl Clinic {
    /// Starts all of it, with an operator who delivers everything; `rsa.pub` and `x25519.pub` are the client's keys.
    pub(crate) async fn start(way: Way) -> Self {
        let behaviour = Behaviour { receipts: Some(Receipts::default()), ..Behaviour::default() };
        Self::beside(way, Behaviour { ids: IdFormat::Prefixed("op-".into()), ..behaviour }).await
    }

    /// The same beside another operator.
    pub(crate) async fn beside(way: Way, behaviour: Behaviour) -> Self {
        let smsc = Smsc::start(SmscSettings { behaviour, ..SmscSettings::default() }).await.expect("an SMSC");
        let mut settings = String::new();
        let mut kafka = None;
        if way == Way::Kafka {
            let brokers = bootstrap().await;
            let [requests, statuses, dead, inbound] = ["send", "status", "dead", "inbound"].map(unique);
            for topic in [&requests, &statuses, &dead, &inbound] {
                create_topic(brokers, topic, 4).await.expect("a topic");
            }
            settings = format!(
                "[bus]\nkind = \"kafka\"\nbrokers = \"{brokers}\"\ngroup_prefix = \"{requests}-\"\n\
                 [sms_gateway.topics]\nsend = \"{requests}\"\nstatus = \"{statuses}\"\ndead = \"{dead}\"\n\
                 inbound = \"{inbound}\"\n"
            );
            kafka = Some(Topics { brokers, requests, statuses, inbound });
        }
        settings += &format!(
            "[[sms_gateway.inbound]]\nnumber = \"{NUMBER}\"\nclient = \"demo\"\n\
             [[sms_gateway.smsc]]\nname = \"op\"\nport = {}\nsystem_id = \"demo\"\npassword = \"any\"\n",
            smsc.address().port()
        );
        let place = Place::new();
        place.write("settings.toml", &settings);
        let server = Standalone::start(&place, "--config settings.toml").await;
        let clinic = Self { place, server, smsc, kafka };
        clinic.vault("add", "--kind x25519");
        // The gateway looks at the vault once a second, and the first message may be there before.
        clinic.admin("reload").ok();
        for kind in ["rsa", "x25519"] {
            clinic.place.write(&format!("{kind}.pub"), &clinic.vault("pubkey", &format!("--kind {kind}")));
        }
        clinic
    }

    /// Runs `sealpost admin sms` with a command.
    pub(crate) fn admin(&self, command: &str) -> Ended {
        let internal = self.server.internal.request(reqwest::Method::GET, "/").build().expect("a request");
        let url = internal.url().as_str().trim_end_matches('/').to_owned();
        let data = self.server.data.display();
        self.place.sealpost(&format!("admin sms {command} --data-dir {data} --server {url}"))
    }

    /// The gateway's vault and the file with its password.
    pub(crate) fn vault_files(&self) -> (String, String) {
        let file = |name: &str| self.server.data.join("secrets").join(name).display().to_string();
        (file("sms-vault.p12"), file("sms-vault-password"))
    }

    fn vault(&self, verb: &str, options: &str) -> String {
        let (vault, password) = self.vault_files();
        let vault = format!("{vault} demo --password-file {password}");
        self.place.sealpost(&format!("sms vault {verb} {vault} {options}")).ok()
    }

    pub(crate) fn kafka(&self) -> &Topics {
        self.kafka.as_ref().expect("a clinic with Kafka")
    }

    /// The file with the client's API key.
    pub(crate) fn api_key_file(&self) -> String {
        self.server.data.join("secrets/sms-api-key-demo").display().to_string()
    }

    /// Numbers and texts that reached the operator, in order.
    pub(crate) fn arrived(&self) -> Vec<(String, String)> {
        let accepted = self.smsc.accepted();
        let read = |message: &smpp::codec::SubmitSm| {
            let text = sms::decode_text(message.data_coding, message.text()).expect("a text");
            (format!("+{}", message.destination.value), text)
        };
        accepted.iter().map(|accepted| read(&accepted.message)).collect()
    }

    /// `sms` options to reach the gateway as the client does.
    pub(crate) fn way(&self) -> String {
        match &self.kafka {
            Some(Topics { brokers, requests, statuses, .. }) => {
                format!("--brokers {brokers} --topic {requests} --status-topic {statuses}")
            }
            None => format!("--server {} --api-key-file {}", self.server.url, self.api_key_file()),
        }
    }

    /// Waits until so many messages have reached the operator.
    pub(crate) async fn wait_arrived(&self, count: usize) {
        let mut counts = self.smsc.counts();
        let enough = counts.wait_for(|counts| counts.accepted >= count as u64);
        let waited = tokio::time::timeout(Duration::from_secs(30), enough).await;
        assert!(waited.is_ok(), "{count} messages have not arrived");
    }
}
