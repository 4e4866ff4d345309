//! All seven services, two pods of each, each a process of its own; nginx with TLS before them, an SMSC behind them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, BusKind, BusSettings};
use futures_util::future::join_all;
use smpp::esme::Password;
use smpp::smsc::{Account, Behaviour, Receipts, Smsc, SmscSettings};
use testkit::http::TestClient;
use testkit::kafka;

use crate::deployment::{DRAIN_DELAY, DRAIN_TIMEOUT, Deployment, Template};
use crate::installation::{CALLED, Installation, PROGRAMS};
use crate::journal::Journal;
use crate::nginx::Nginx;
use crate::service::Service;
use crate::sms::Topics;
use crate::tunnel::Tunnel;

/// Who we are to the SMSC, and the password.
const SMSC_ACCOUNT: (&str, &str) = ("rolling", "hush4711");

/// An installation as a cluster has it.
pub(crate) struct World {
    pub(crate) journal: Journal,
    pub(crate) installation: Arc<Installation>,
    pub(crate) smsc: Smsc,
    pub(crate) topics: Topics,
    /// A client of the broker that is none of the services.
    pub(crate) bus: Bus,
    /// Where clients find nginx, without TLS of their own.
    pub(crate) url: String,
    _tunnel: Tunnel,
    _nginx: Nginx,
}

impl World {
    /// Starts it; gives its deployments too.
    pub(crate) async fn start() -> (Self, Vec<Deployment>) {
        let mut installation = Installation::make().await;
        let (smsc, topics) = (smsc().await, Topics::make().await);
        installation.file += &format!(
            "{}\n[[sms_gateway.smsc]]\nname = \"main\"\nport = {}\nsystem_id = \"{}\"\npassword = \"{}\"\nid_base = \"as-is\"\n",
            topics.settings(),
            smsc.address().port(),
            SMSC_ACCOUNT.0,
            SMSC_ACCOUNT.1,
        );
        let installation = Arc::new(installation);
        let mut services = BTreeMap::new();
        for (name, _) in PROGRAMS {
            services.insert(name, Service::open().await);
        }
        let nginx = Nginx::start(
            &services.iter().map(|(name, service)| (*name, service.public.to_string())).collect(),
        )
        .await;
        let tunnel = Tunnel::open(nginx.address, &nginx.certificate(), Ipv4Addr::LOCALHOST).await;
        let mut deployments = deployments(&installation, services).await;
        // The others are ready once they know the keys of auth.
        let (auth, others) = deployments.split_first_mut().unwrap();
        auth.start().await;
        join_all(others.iter_mut().map(Deployment::start)).await;
        let settings = BusSettings {
            kind: BusKind::Kafka,
            brokers: kafka::bootstrap().await.to_owned(),
            ..BusSettings::default()
        };
        let bus = Bus::open(&settings, None).unwrap();
        let (url, journal) = (tunnel.url.clone(), Journal::default());
        let world = Self { journal, installation, smsc, topics, bus, url, _tunnel: tunnel, _nginx: nginx };
        (world, deployments)
    }

    /// A client that comes by nginx.
    pub(crate) fn client(&self) -> TestClient {
        TestClient::new(&*self.url)
    }
}

async fn deployments(
    installation: &Arc<Installation>,
    mut services: BTreeMap<&'static str, Service>,
) -> Vec<Deployment> {
    let seconds = |duration: Duration| format!("{}s", duration.as_secs());
    let mut settings = vec![
        ("bus.brokers".to_owned(), kafka::bootstrap().await.to_owned()),
        ("bus.group_prefix".to_owned(), kafka::unique("rolling-")),
        ("http.trusted_proxies".to_owned(), "127.0.0.1".to_owned()),
        ("http.drain_delay".to_owned(), seconds(DRAIN_DELAY)),
        ("http.drain_timeout".to_owned(), seconds(DRAIN_TIMEOUT)),
    ];
    for name in CALLED {
        settings.push((format!("internal.{name}_url"), format!("http://{}", services[name].internal)));
    }
    let settings: Arc<[_]> = settings.into();
    let deployment = |(name, program)| {
        let (installation, settings) = (Arc::clone(installation), Arc::clone(&settings));
        let service = services.remove(name).expect("a Service for each");
        Deployment::new(name, Template { program, installation, settings }, service)
    };
    PROGRAMS.map(deployment).into()
}

/// In this process, so that it outlives every gateway.
async fn smsc() -> Smsc {
    let account = Account { system_id: SMSC_ACCOUNT.0.into(), password: Password::new(SMSC_ACCOUNT.1) };
    let behaviour = Behaviour { receipts: Some(Receipts::default()), ..Behaviour::default() };
    Smsc::start(SmscSettings { accounts: vec![account], behaviour, ..SmscSettings::default() }).await.unwrap()
}
