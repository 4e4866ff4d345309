//! Runs the gateway with what surrounds it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::{Bus, Delivered, Event, Record};
use common::crypto::vault::{Vault, VaultFormat};
use common::models::sms::SmsStatus;
use common::models::{Clock as _, SystemClock, UnixMillis};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use serde_json::{Map, Value};
use service::{App as _, CommonSettings, Host, Surroundings};
use smpp::codec::{Address, DeliverSm, esm_class};
use smpp::smsc::{Behaviour, Receipts, Smsc};
use sms_gateway::{App, Settings, SmscSettings};
use tempfile::TempDir;
use testkit::database::TestDb;
use testkit::http::TestClient;
use testkit::process::ports;
use testkit::wait::{DEADLINE, wait_for, wait_for_within};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::cases::{ACME, Maker, TEST};

pub(crate) const KEY: &str = "key-of-acme-0123456789";
pub(crate) const TEST_KEY: &str = "key-of-test-0123456789";
pub(crate) const PASSWORD: &str = "123456";
const ADMIN_TOKEN: &str = "the token of operators";

/// What outlives a restart: folder, vault, SMSC.
pub(crate) struct World {
    folder: TempDir,
    pub(crate) maker: Maker,
    pub(crate) smsc: Smsc,
}

impl World {
    /// Makes a vault for two clients and starts an SMSC.
    pub(crate) async fn new(behaviour: Behaviour) -> Self {
        Self::beside(smpp::smsc::SmscSettings { behaviour, ..Default::default() }).await
    }

    /// The same beside an SMSC that is started like this.
    pub(crate) async fn beside(smsc: smpp::smsc::SmscSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut vault = Vault::new(VaultFormat::default());
        let mut keys = BTreeMap::new();
        for client in [TEST, ACME] {
            vault.add(client, 2048, UnixMillis(0)).unwrap();
            keys.insert(client, vault.sealing_key(client).unwrap());
        }
        std::fs::write(folder.path().join("vault"), vault.to_bytes(PASSWORD).unwrap()).unwrap();
        Self { folder, maker: Maker { keys }, smsc: simulator(smsc).await }
    }

    /// An SMSC that sends a receipt for each message at once.
    pub(crate) fn with_receipts() -> Behaviour {
        Behaviour { receipts: Some(Receipts::default()), ..Behaviour::default() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Settings that give up nothing which is only late, as on a machine that stands still for some seconds.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            vault: Some(self.path().join("vault")),
            vault_password: PASSWORD.into(),
            allowed_clients: ["test", "acme", "keyless"].map(Into::into).to_vec(),
            allowed_numbers: vec!["+255*".parse().unwrap()],
            loopback_delay: Duration::from_millis(20),
            loopback_long_delay: Duration::from_millis(60),
            http_keys: [(KEY.to_owned(), ACME.into()), (TEST_KEY.to_owned(), TEST.into())]
                .into_iter()
                .collect(),
            unknown_after: Duration::from_secs(60),
            resend_after: Duration::from_secs(60),
            throttle_backoff: Duration::from_millis(100),
            bind_patience: Duration::from_secs(1),
            smsc: vec![SmscSettings {
                name: "main".into(),
                port: self.smsc.address().port(),
                system_id: "acme".into(),
                password: "secret".into(),
                response_timeout: Duration::from_secs(20),
                reconnect: Duration::from_millis(50),
                reconnect_max: Duration::from_millis(200),
                simulated: true,
                ..SmscSettings::default()
            }],
            ..Settings::default()
        }
    }

    /// The same with an end to patience within the time of a test, for what has no response.
    pub(crate) fn impatient(&self) -> Settings {
        let mut settings = self.settings();
        settings.smsc[0].response_timeout = Duration::from_millis(1500);
        (settings.unknown_after, settings.resend_after) = (Duration::from_secs(4), Duration::from_secs(4));
        settings
    }
}

/// Starts an SMSC. Its port is nobody else's, also while it is dead.
pub(crate) async fn simulator(settings: smpp::smsc::SmscSettings) -> Smsc {
    let listen = ([127, 0, 0, 1], ports::free()).into();
    Smsc::start(smpp::smsc::SmscSettings { listen, ..settings }).await.unwrap()
}

/// What an SMSC brings when its message of that id to the usual recipient was delivered.
pub(crate) fn receipt(id: &str) -> DeliverSm {
    DeliverSm {
        source: Address { ton: 1, npi: 0, value: "255123456789".into() },
        esm_class: esm_class::RECEIPT,
        short_message: format!("id:{id} sub:001 dlvrd:001 stat:DELIVRD err:000 text:").into_bytes(),
        ..DeliverSm::default()
    }
}

/// Waits until midnight (UTC) is past if it is near: what is counted by days begins anew then.
pub(crate) async fn away_from_midnight() {
    const DAY: i64 = 24 * 3600 * 1000;
    const NEEDED: i64 = 120 * 1000;
    let left = DAY - SystemClock.now().as_i64().rem_euclid(DAY);
    if left < NEEDED {
        tokio::time::sleep(Duration::from_millis(left.unsigned_abs())).await;
    }
}

/// A gateway that runs until it is stopped or dropped.
pub(crate) struct Gateway {
    pub(crate) http: TestClient,
    /// The internal listener.
    pub(crate) operator: TestClient,
    pub(crate) bus: Bus,
    pub(crate) db: db::Db,
    /// By correl-id, as some tests wait for thousands.
    statuses: Arc<Mutex<HashMap<String, Vec<SmsStatus>>>>,
    dead: Arc<Mutex<Vec<Delivered>>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    readers: Vec<JoinHandle<()>>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Gateway {
    pub(crate) async fn start(world: &World, test: &TestDb) -> Self {
        Self::with(world, test, world.settings()).await
    }

    pub(crate) async fn with(world: &World, test: &TestDb, settings: Settings) -> Self {
        Self::beside(world.path(), test, settings).await
    }

    /// The same with a folder, and so a bus, of its own.
    pub(crate) async fn beside(folder: &Path, test: &TestDb, settings: Settings) -> Self {
        let mut common = CommonSettings::default();
        common.http.listen = "127.0.0.1:0".parse().unwrap();
        common.http.workers = std::num::NonZeroUsize::new(1);
        common.internal.listen = "127.0.0.1:0".parse().unwrap();
        common.internal.token = Some("the token between services".into());
        common.internal.admin_token = Some(ADMIN_TOKEN.into());
        common.internal.auth_url = Some("http://127.0.0.1:1/".parse().unwrap());
        common.database.url = test.settings().url.clone();
        let surroundings = Surroundings { data_dir: Some(folder.to_owned()), ..Surroundings::default() };
        // The one before, if any, lets go of the embedded bus when its last handle is gone.
        let mut host = wait_for("the lock of the bus", || {
            let host = Host::bind(common.clone(), &[App::NAME], surroundings.clone());
            async move {
                match host {
                    Err(service::StartError::Bus(bus::BusError::Locked { .. })) => None,
                    host => Some(host.unwrap()),
                }
            }
        })
        .await;
        service::migrate::<App>(host.platform()).await.unwrap();
        let (bus, db) = (host.platform().bus.clone(), host.platform().database("sms_gateway").unwrap());
        let http = TestClient::new(format!("http://{}", host.http_addr()));
        let operator = TestClient::new(format!("http://{}", host.internal_addr())).with_token(ADMIN_TOKEN);
        host.add_service(App::build(settings, host.platform()).unwrap());
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let task = tokio::task::spawn_blocking(move || {
            actix_web::rt::System::new()
                .block_on(async move { host.run_until(|_| Ok(()), stopped).await.unwrap() })
        });
        let statuses = Arc::<Mutex<HashMap<String, Vec<SmsStatus>>>>::default();
        let dead = Arc::<Mutex<Vec<Delivered>>>::default();
        let (told, buried) = (statuses.clone(), dead.clone());
        let readers = vec![
            read(&bus, "sms-status", move |record| {
                let status: SmsStatus = serde_json::from_slice(record.bytes()).unwrap();
                let correl = status.correl_id.as_str().to_owned();
                told.lock().unwrap().entry(correl).or_default().push(status);
            }),
            read(&bus, "send-sms-dead", move |record| buried.lock().unwrap().push(record)),
        ];
        Self { http, operator, bus, db, statuses, dead, stop, task, readers }
    }

    /// Stops it in order and waits for its end.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        (&mut self.task).await.unwrap();
        for reader in self.readers.drain(..) {
            reader.abort();
            let _ = reader.await;
        }
    }

    /// All series.
    pub(crate) async fn metrics(&self) -> String {
        self.operator.get("/metrics").await.expect(200).text()
    }

    pub(crate) async fn produce(&self, values: Vec<Option<Vec<u8>>>) {
        let record =
            |value| Record { topic: "send-sms".into(), key: None, value, headers: Default::default() };
        self.bus.producer().send(values.into_iter().map(record).collect()).await.unwrap();
    }

    pub(crate) async fn request(&self, request: &Map<String, Value>) {
        self.produce(vec![Some(serde_json::to_vec(request).unwrap())]).await;
    }

    /// The statuses published so far for a request.
    pub(crate) fn published(&self, correl: &str) -> Vec<SmsStatus> {
        self.statuses.lock().unwrap().get(correl).cloned().unwrap_or_default()
    }

    pub(crate) fn names(&self, correl: &str) -> Vec<String> {
        self.published(correl).iter().map(|status| status.sms_status.to_string()).collect()
    }

    /// Waits until so many statuses were published for a request.
    pub(crate) async fn statuses(&self, correl: &str, count: usize) -> Vec<SmsStatus> {
        // What is given up, or held up for long, comes late after a standstill of the machine.
        wait_for_within(2 * DEADLINE, &format!("{count} statuses of {correl}"), || {
            let found = self.published(correl);
            async move { (found.len() >= count).then_some(found) }
        })
        .await
    }

    pub(crate) fn dead(&self) -> Vec<Delivered> {
        self.dead.lock().unwrap().clone()
    }
}

/// Tells whether the metrics have this line.
pub(crate) async fn metric(gateway: &Gateway, series: &str) -> bool {
    gateway.metrics().await.lines().any(|line| line == series)
}

/// Runs a statement that counts something as `n`.
pub(crate) async fn count(gateway: &Gateway, sql: &'static str) -> i64 {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        n: i64,
    }
    let read = gateway
        .db
        .read(move |conn| Ok::<_, db::DbError>(diesel::sql_query(sql).get_result::<Count>(conn)?.n));
    read.await.unwrap()
}

fn read(bus: &Bus, topic: &str, take: impl Fn(Delivered) + Send + 'static) -> JoinHandle<()> {
    let mut consumer = bus.consumer(&format!("test-{}", uuid::Uuid::new_v4()), &[topic]).unwrap();
    tokio::spawn(async move {
        loop {
            if let Ok(Event::Records(records)) = consumer.next(100).await {
                records.into_iter().for_each(&take);
            }
        }
    })
}
