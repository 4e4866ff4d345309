//! What a Deployment of Kubernetes does: two pods, and a rolling update that has a new one ready before an old one goes.

use std::net::SocketAddr;
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
pub(crate) const DRAIN_DELAY: Duration = Duration::from_secs(1);
/// How long its sockets, its tasks and its requests may take after that.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The pods of a service, one of which waits for its turn.
pub(crate) struct Deployment {
    name: &'static str,
    pods: Vec<Program>,
    service: Service,
}

impl Deployment {
    /// Makes the pods; none runs.
    pub(crate) fn new(
        name: &'static str,
        program: &'static str,
        service: Service,
        (installation, more): (&Installation, &[(&str, &str)]),
    ) -> Self {
        let pods = (0..=REPLICAS).map(|_| installation.prepare(program, more)).collect();
        let mut deployment = Self { name, pods, service };
        deployment.service.select(deployment.pods.iter().map(place).collect());
        deployment
    }

    /// Starts all pods but the one that waits.
    pub(crate) async fn start(&mut self) {
        for pod in self.pods.iter_mut().take(REPLICAS) {
            pod.restart().await.unwrap();
        }
        self.settled().await;
    }

    /// Replaces every pod, one after the other.
    pub(crate) async fn roll(&mut self, journal: &Journal) {
        for number in 0..REPLICAS {
            journal.begin(format!("the restart of pod {number} of {}", self.name));
            // The pod that waits comes to the front, and the oldest is the last one.
            self.pods.rotate_right(1);
            self.pods[0].restart().await.unwrap();
            self.leads_to(0..=REPLICAS).await;
            self.end_last().await;
            self.settled().await;
        }
    }

    async fn settled(&self) {
        self.leads_to(0..REPLICAS).await;
    }

    async fn leads_to(&self, pods: impl Iterator<Item = usize>) {
        self.service.leads_to(pods.map(|number| address(&self.pods[number].url)).collect()).await;
    }

    /// Ends the oldest pod in order, and checks the order.
    async fn end_last(&mut self) {
        let (name, pod) = (self.name, self.pods.last_mut().unwrap());
        let earlier = pod.log().len();
        let asked = Instant::now();
        pod.signal("TERM").unwrap();

        let health = || async {
            let answer =
                pod.internal.request(Method::GET, "/health/ready").send().await.expect("a pod that drains");
            (answer.status() == 503).then_some(answer)
        };
        let health =
            wait_for("a pod that is told to end to be not ready", health).await.text().await.unwrap();
        let noticed = asked.elapsed();
        let served = pod.http.request(Method::GET, "/").send().await.map(|answer| answer.status().as_u16());

        assert!(health.contains("\"draining\""), "{name}: {health}");
        assert!(noticed < DRAIN_DELAY, "{name} is not ready only {noticed:?} after its signal");
        assert!(matches!(served, Ok(200)), "{name} does not serve while balancers notice: {served:?}");
        let status = pod.ended(DRAIN_DELAY + DRAIN_TIMEOUT).await;
        let took = asked.elapsed();
        let log = pod.log().split_off(earlier);
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
