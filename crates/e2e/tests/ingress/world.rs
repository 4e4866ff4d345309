//! All seven services, each a process of its own, beside real servers; nginx before them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use testkit::kafka;
use testkit::{http::TestClient, program::Program};

use crate::installation::{CALLED, Installation, PROGRAMS};
use crate::nginx::Nginx;
use crate::tunnel::Tunnel;

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
    _installation: Installation,
}

impl World {
    pub(crate) async fn start() -> Self {
        let installation = Installation::make().await;
        let group = kafka::unique("ingress-");
        let more = [
            ("bus.brokers", kafka::bootstrap().await),
            ("bus.group_prefix", &group),
            ("http.trusted_proxies", "127.0.0.1"),
            ("limits.enabled", "true"),
            ("limits.registration_address.size", "3"),
            ("telemetry.level", "info,follow=debug"),
        ];
        let mut programs = PROGRAMS.map(|(_, name)| installation.prepare(name, &more));
        let internal = PROGRAMS.iter().zip(&programs);
        let internal: BTreeMap<_, _> =
            internal.map(|((service, _), program)| (*service, program.internal_url.clone())).collect();
        for program in &mut programs {
            for service in CALLED {
                program.set(&format!("internal.{service}_url"), &internal[service]);
            }
        }
        for program in &mut programs {
            program.restart().await.unwrap();
        }
        let names = PROGRAMS.iter().map(|(service, _)| *service);
        let addresses = programs.iter().map(|program| program.url.replace("http://", ""));
        let nginx = Nginx::start(&names.zip(addresses).collect::<BTreeMap<_, _>>()).await;
        let tunnel = Tunnel::open(nginx.address, &nginx.certificate(), Ipv4Addr::LOCALHOST).await;
        let services = PROGRAMS.iter().zip(&programs);
        let services = services.map(|((name, _), program)| (*name, program.http.clone())).collect();
        let notify_key = installation.secret("notify-api-key");
        let (programs, _installation) = (programs.into(), installation);
        Self { nginx, tunnel, services, notify_key, programs, _installation }
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
