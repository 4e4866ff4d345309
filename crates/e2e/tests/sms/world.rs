//! What surrounds a gateway: a vault, topics of its own on a broker, settings.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use bus::{Bus, BusKind, BusSettings, Headers, Record, SecuritySettings};
use common::crypto::vault::{Vault, VaultFormat};
use common::models::UnixMillis;
use serde_json::{Map, Value};
use smpp::esme::Password;
use smpp::smsc::{Account, Behaviour, Smsc, SmscSettings};
use tempfile::TempDir;
use testkit::database::TestDb;
use testkit::kafka::{self, Kafka};
use testkit::process::ports;
use testkit::program::{Program, ProgramSettings};
use tokio::time::Duration;

use crate::cases::{ACME, Maker, TEST};
use crate::run::WINDOW;

/// API key of the client `acme`.
pub(crate) const KEY: &str = "api-key-of-acme-2718281828";
pub(crate) const VAULT_PASSWORD: &str = "vault-password-3141592653";
/// Of the simulator; SMPP allows 8 characters.
pub(crate) const SMSC_PASSWORD: &str = "hush4711";
/// Who we are to the simulator.
pub(crate) const SYSTEM_ID: &str = "acme";

/// Settings of a gateway that is killed, so that its partitions and what it had under way do not wait for long. The others
/// are patient: a machine that stands still for some seconds neither takes a partition away nor makes an outcome unknown.
pub(crate) const HASTY: [(&str, &str); 2] =
    [("bus.session_timeout", "2s"), ("sms_gateway.unknown_after", "3s")];

const PARTITIONS: u16 = 4;

/// Two clients and the vault with their keys.
pub(crate) struct Tenants {
    folder: TempDir,
    pub(crate) maker: Maker,
}

impl Tenants {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut vault = Vault::new(VaultFormat::default());
        let mut keys = BTreeMap::new();
        for client in [TEST, ACME] {
            vault.add(client, 2048, UnixMillis(0)).unwrap();
            keys.insert(client, vault.sealing_key(client).unwrap());
        }
        std::fs::write(folder.path().join("vault"), vault.to_bytes(VAULT_PASSWORD).unwrap()).unwrap();
        Self { folder, maker: Maker { keys } }
    }

    /// The section of the gateway, as far as it is the same with and without Kafka.
    pub(crate) fn section(&self) -> String {
        let vault = self.folder.path().join("vault");
        format!(
            "[sms_gateway]\nvault = \"{}\"\nvault_password = \"{VAULT_PASSWORD}\"
             allowed_clients = [\"test\", \"acme\", \"keyless\"]\nallowed_numbers = [\"+255*\"]
             loopback_delay = \"20ms\"\nloopback_long_delay = \"60ms\"\nthrottle_backoff = \"50ms\"
             unknown_after = \"30s\"\nhttp_keys = {{ \"{KEY}\" = \"acme\" }}\n",
            vault.display()
        )
    }
}

pub(crate) struct World {
    tenants: Tenants,
    /// A client of the broker that is not the gateway's.
    pub(crate) bus: Bus,
    pub(crate) brokers: String,
    pub(crate) send: String,
    pub(crate) status: String,
    pub(crate) dead: String,
    group: String,
    security: SecuritySettings,
}

impl World {
    /// Makes a vault for two clients, and topics on the run's shared broker.
    pub(crate) async fn shared() -> Self {
        Self::on(kafka::bootstrap().await).await
    }

    /// The same on another broker.
    pub(crate) async fn on(brokers: &str) -> Self {
        Self::with(brokers, brokers, SecuritySettings::default()).await
    }

    /// The same over the listener with TLS and a password.
    pub(crate) async fn secured(kafka: &Kafka) -> Self {
        let listener = kafka.secured();
        Self::with(kafka.bootstrap(), &listener.bootstrap(), listener.security()).await
    }

    /// Makes the topics over one listener, and uses them over another.
    async fn with(plain: &str, brokers: &str, security: SecuritySettings) -> Self {
        let topic = async |name| {
            let topic = kafka::unique(name);
            kafka::create_topic(plain, &topic, PARTITIONS).await.unwrap();
            topic
        };
        // A record that a dead broker left unconfirmed is still sent once when it is back.
        let settings = BusSettings {
            kind: BusKind::Kafka,
            brokers: brokers.to_owned(),
            security: security.clone(),
            delivery_timeout: Duration::from_secs(60),
            ..BusSettings::default()
        };
        Self {
            tenants: Tenants::new(),
            bus: Bus::open(&settings, None).unwrap(),
            brokers: brokers.to_owned(),
            send: topic("send-sms").await,
            status: topic("sms-status").await,
            dead: topic("send-sms-dead").await,
            group: kafka::unique("sms-gateway"),
            security,
        }
    }

    pub(crate) fn maker(&self) -> &Maker {
        &self.tenants.maker
    }

    /// Starts a gateway as a process of its own. `smscs`: the tables `[[sms_gateway.smsc]]`.
    pub(crate) async fn gateway(&self, db: &TestDb, smscs: &str) -> Program {
        self.gateway_with(db, smscs, &[]).await
    }

    /// The same with more settings.
    pub(crate) async fn gateway_with(&self, db: &TestDb, smscs: &str, more: &[(&str, &str)]) -> Program {
        let mut gateway = self.prepare(&db.settings().url, smscs, more);
        gateway.restart().await.unwrap();
        gateway
    }

    /// The same, not started yet.
    pub(crate) fn prepare(&self, database: &str, smscs: &str, more: &[(&str, &str)]) -> Program {
        let file = self.settings(database, smscs);
        let settings =
            ProgramSettings { name: "sealpost-sms-gateway", file: &file, more, ..ProgramSettings::default() };
        Program::prepare(settings).unwrap()
    }

    fn settings(&self, database: &str, smscs: &str) -> String {
        let Self { brokers, send, status, dead, group, .. } = self;
        let bus = format!(
            "[bus]\nkind = \"kafka\"\nbrokers = \"{brokers}\"\nsession_timeout = \"10s\"\n{}
             [database]\nurl = \"{database}\"\n",
            section(&self.security)
        );
        let topics =
            format!("[sms_gateway.topics]\nsend = \"{send}\"\nstatus = \"{status}\"\ndead = \"{dead}\"\n");
        format!("{bus}{}group = \"{group}\"\n{topics}{smscs}", self.tenants.section())
    }

    /// Puts records on the topic of requests; returns when they are durable.
    pub(crate) async fn produce(&self, records: Vec<Record>) {
        self.bus.producer().send(records).await.unwrap();
    }

    /// A record of the topic of requests.
    pub(crate) fn record(&self, value: Option<Vec<u8>>) -> Record {
        Record {
            topic: self.send.clone(),
            key: Some(b"original key".to_vec()),
            value,
            headers: Headers::default(),
        }
    }

    pub(crate) async fn request(&self, request: &Map<String, Value>) {
        self.produce(vec![self.record(Some(serde_json::to_vec(request).unwrap()))]).await;
    }
}

/// The section `[bus.security]`, as far as it is set.
fn section(security: &SecuritySettings) -> String {
    let SecuritySettings {
        protocol,
        sasl_mechanism,
        username,
        password,
        ca_file,
        certificate_file,
        key_file,
    } = security;
    let files = [ca_file, certificate_file, key_file].map(|file| file.as_ref()?.to_str());
    let set = [
        ("protocol", Some(protocol.as_str())),
        ("sasl_mechanism", sasl_mechanism.as_deref()),
        ("username", username.as_deref()),
        ("password", password.as_ref().map(|password| password.expose().as_str())),
        ("ca_file", files[0]),
        ("certificate_file", files[1]),
        ("key_file", files[2]),
    ];
    let lines = set.iter().filter_map(|(name, value)| value.map(|value| format!("{name} = \"{value}\"\n")));
    format!("[bus.security]\n{}", lines.collect::<String>())
}

/// Starts a simulator in this process, so that it survives every gateway.
pub(crate) async fn simulator(behaviour: Behaviour, seed: u64) -> Smsc {
    simulator_at(SmscSettings::default().listen, behaviour, seed).await
}

/// The same at an address of the test's choice.
pub(crate) async fn simulator_at(listen: SocketAddr, behaviour: Behaviour, seed: u64) -> Smsc {
    let account = Account { system_id: SYSTEM_ID.into(), password: Password::new(SMSC_PASSWORD) };
    let settings =
        SmscSettings { listen, accounts: vec![account], behaviour, seed, ..SmscSettings::default() };
    Smsc::start(settings).await.unwrap()
}

/// An address that is kept while nobody listens there, unlike one of port 0.
pub(crate) fn kept_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, ports::free()).into()
}

/// The table of an SMSC.
pub(crate) fn smsc_table(name: &str, port: u16, (system_id, password): (&str, &str)) -> String {
    format!(
        "[[sms_gateway.smsc]]\nname = \"{name}\"\nport = {port}\nsystem_id = \"{system_id}\"
         password = \"{password}\"\nid_base = \"as-is\"\nwindow = {WINDOW}\nresponse_timeout = \"1s\"\nreconnect = \"50ms\"
         reconnect_max = \"200ms\"\n"
    )
}

/// The table of the simulator. It throttles at random, not for the rate; a high agreed rate is soon back.
pub(crate) fn simulator_table(smsc: &Smsc) -> String {
    let table = smsc_table("main", smsc.address().port(), (SYSTEM_ID, SMSC_PASSWORD));
    format!("{table}tps = 5000\n")
}
