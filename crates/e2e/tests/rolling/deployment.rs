//! What a Deployment of Kubernetes does: two pods, and a rolling update that has a new one ready before an old one goes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use testkit::program::Program;
use testkit::wait::wait_for;

use crate::installation::Installation;
use crate::journal::Journal;
use crate::service::{Place, Service};

/// As in `k8s/base`.
const REPLICAS: usize = 2;

/// How long a pod goes on as not ready: longer than balancers take to notice.
pub(crate) const DRAIN_DELAY: Duration = Duration::from_secs(4);
/// How long its sockets, its tasks and its requests may take after that.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The pods of a service, the oldest first.
pub(crate) struct Deployment {
    name: &'static str,
    template: Template,
    pods: Vec<Program>,
    service: Service,
}

/// What pods are made from.
pub(crate) struct Template {
    pub(crate) program: &'static str,
    pub(crate) installation: Arc<Installation>,
    pub(crate) settings: Arc<[(String, String)]>,
}

impl Template {
    /// Makes a pod, at addresses that no other has, and waits until it is ready.
    async fn start(&self) -> Program {
        let settings: Vec<_> = self.settings.iter().map(|(path, value)| (&**path, &**value)).collect();
        let mut pod = self.installation.prepare(self.program, &settings);
        pod.restart().await.unwrap();
        pod
    }
}

impl Deployment {
    /// Without pods.
    pub(crate) fn new(name: &'static str, template: Template, service: Service) -> Self {
        Self { name, template, pods: Vec::new(), service }
    }

    /// Starts its pods.
    pub(crate) async fn start(&mut self) {
        for _ in 0..REPLICAS {
            self.pods.push(self.template.start().await);
        }
        self.settled().await;
    }

    /// Replaces every pod, one after the other.
    pub(crate) async fn roll(&mut self, journal: &Journal) {
        for number in 0..REPLICAS {
            journal.begin(format!("the restart of pod {number} of {}", self.name));
            self.pods.push(self.template.start().await);
            self.settled().await;
            self.end_oldest().await;
            self.pods.remove(0);
            self.settled().await;
        }
    }

    /// Waits until its Service leads to all of its pods, and to nobody else.
    async fn settled(&self) {
        self.service.select(self.pods.iter().map(place).collect());
        self.service.leads_to(self.pods.iter().map(|pod| address(&pod.url)).collect()).await;
    }

    /// Ends the oldest pod in order, and checks the order.
    async fn end_oldest(&mut self) {
        let (name, pod) = (self.name, &mut self.pods[0]);
        let asked = Instant::now();
        pod.signal("TERM").unwrap();

        let health = || async {
            let answer =
                pod.internal.request(Method::GET, "/health/ready").send().await.expect("a pod that drains");
            (answer.status() == 503).then_some(answer)
        };
        let health =
            wait_for("a pod that is told to end to be not ready", health).await.text().await.unwrap();
        let served = pod.http.request(Method::GET, "/").send().await.map(|answer| answer.status().as_u16());

        assert!(health.contains("\"draining\""), "{name}: {health}");
        assert!(matches!(served, Ok(200)), "{name} does not serve while balancers notice: {served:?}");
        let status = pod.ended(DRAIN_DELAY + DRAIN_TIMEOUT).await;
        let took = asked.elapsed();
        let log = pod.log();
        let status = status.unwrap_or_else(|| panic!("{name} still runs {took:?} after its signal:\n{log}"));
        assert!(status.success(), "{name} ended with {status}:\n{log}");
        assert!(took >= DRAIN_DELAY, "{name} ended before balancers could notice, after {took:?}");
        let late =
            log.lines().find(|line| line.contains("did not end in time") || line.contains("\"ERROR\""));
        assert_eq!(late, None, "{name} did not end in order");
    }
}

fn place(pod: &Program) -> Place {
    Place { public: address(&pod.url), internal: address(&pod.internal_url), probe: pod.internal.clone() }
}

fn address(url: &str) -> SocketAddr {
    url.strip_prefix("http://").and_then(|address| address.parse().ok()).expect("the URL of a program")
}
