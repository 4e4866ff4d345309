//! All seven services, each a process of its own, on the settings file of `k8s/base` and the secrets that `deploy/secrets`
//! makes, beside real servers; nginx before them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use testkit::database::TestDb;
use testkit::process;
use testkit::program::{self, Program, ProgramSettings};
use testkit::rabbitmq::{Vhost, vhost};
use testkit::{http::TestClient, kafka};

use crate::nginx::Nginx;
use crate::tunnel::Tunnel;

const PROGRAMS: [(&str, &str); 7] = [
    ("auth", "sealpost-auth"),
    ("keystore", "sealpost-keystore"),
    ("mailbox", "sealpost-mailbox"),
    ("sync", "sealpost-sync"),
    ("notify", "sealpost-notify"),
    ("relay", "sealpost-relay"),
    ("sms-gateway", "sealpost-sms-gateway"),
];

/// An installation behind nginx.
pub(crate) struct World {
    pub(crate) nginx: Nginx,
    /// A way of clients to nginx.
    pub(crate) tunnel: Tunnel,
    /// Each service by its name, as if there were no nginx.
    pub(crate) services: Vec<(&'static str, TestClient)>,
    /// The key of a back-end of notify.
    pub(crate) notify_key: String,
    programs: Vec<Program>,
    _db: TestDb,
    _vhost: Vhost,
    _secrets: TempDir,
}

impl World {
    pub(crate) async fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let folder = process::scratch("secrets").unwrap();
        let secrets = folder.path().join("secrets");
        let mut script = Command::new(root.join("deploy/secrets"));
        script.arg(&secrets).env("SEALPOST", program::binary("sealpost").unwrap());
        process::complete("deploy/secrets", &mut script).unwrap();
        let (db, vhost) = (TestDb::postgres().await, vhost().await);
        std::fs::write(secrets.join("database-url"), &db.settings().url).unwrap();
        std::fs::write(secrets.join("live-url"), vhost.url()).unwrap();
        let file = std::fs::read_to_string(root.join("k8s/base/sealpost.toml")).unwrap();
        let file = file.replace("/run/secrets", &secrets.display().to_string());

        let group = kafka::unique("ingress-");
        let more = [
            ("bus.brokers", kafka::bootstrap().await),
            ("bus.group_prefix", &group),
            ("http.trusted_proxies", "127.0.0.1"),
            ("limits.enabled", "true"),
            ("limits.registration_address.size", "3"),
            ("telemetry.level", "info,follow=debug"),
        ];
        let prepare = |(_, name)| {
            let settings =
                ProgramSettings { name, arguments: &["serve"], file: &file, more: &more, folder: None };
            Program::prepare(settings).unwrap()
        };
        let mut programs: Vec<Program> = PROGRAMS.map(prepare).into();
        let internal: Vec<String> = programs.iter().map(|program| program.internal_url.clone()).collect();
        for program in &mut programs {
            for (place, url) in ["auth", "keystore", "mailbox", "sync"].iter().zip(&internal) {
                program.set(&format!("internal.{place}_url"), url);
            }
            program.set("internal.relay_url", &internal[5]);
        }
        // auth first: the others are ready once they know its keys.
        for program in &mut programs {
            program.restart().await.unwrap();
        }
        let names = PROGRAMS.iter().map(|(service, _)| *service);
        let addresses = programs.iter().map(|program| program.url.replace("http://", ""));
        let nginx = Nginx::start(&names.zip(addresses).collect::<BTreeMap<_, _>>()).await;
        let tunnel = Tunnel::open(nginx.address, &nginx.certificate(), Ipv4Addr::LOCALHOST).await;
        let services = PROGRAMS.iter().zip(&programs);
        let services = services.map(|((name, _), program)| (*name, program.http.clone())).collect();
        let notify_key = std::fs::read_to_string(secrets.join("notify-api-key")).unwrap();
        let (_db, _vhost, _secrets) = (db, vhost, folder);
        Self { nginx, tunnel, services, notify_key, programs, _db, _vhost, _secrets }
    }

    /// A client that comes by the tunnel.
    pub(crate) fn client(&self) -> TestClient {
        TestClient::new(&*self.tunnel.url)
    }

    /// What a service has written so far.
    pub(crate) fn log(&self, service: &str) -> String {
        let place = PROGRAMS.iter().position(|(name, _)| *name == service).unwrap();
        self.programs[place].log()
    }

    /// A client from another address.
    pub(crate) async fn elsewhere(&self, source: Ipv4Addr) -> (TestClient, Tunnel) {
        let tunnel = Tunnel::open(self.nginx.address, &self.nginx.certificate(), source).await;
        (TestClient::new(&*tunnel.url), tunnel)
    }
}
