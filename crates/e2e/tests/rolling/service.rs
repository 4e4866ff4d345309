//! What a Service of Kubernetes is to its clients: one address for the public and one for the internal listeners of all pods
//! of a service.
//!
//! Each new connection goes to the next pod that was ready when it was last asked. A connection that stands stays where it
//! is, whatever becomes of the pod.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use testkit::http::TestClient;
use testkit::wait::wait_until;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How often the pods are asked whether they are ready: several times within their `drain_delay`.
const PROBE: Duration = Duration::from_millis(200);

/// How long they may take to say so.
const ANSWER: Duration = Duration::from_secs(1);

/// Where a pod is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) public: SocketAddr,
    pub(crate) internal: SocketAddr,
    /// A client of its internal listener.
    pub(crate) probe: TestClient,
}

/// The addresses before the pods, until it is dropped.
pub(crate) struct Service {
    pub(crate) public: SocketAddr,
    pub(crate) internal: SocketAddr,
    selected: Places,
    ready: Places,
    _running: JoinSet<()>,
}

type Places = Arc<Mutex<Vec<Place>>>;

impl Service {
    /// Opens the addresses; nobody is behind them yet.
    pub(crate) async fn open() -> Self {
        let (selected, ready, mut running) = (Places::default(), Places::default(), JoinSet::new());
        let public = door(&ready, &mut running, |place| place.public).await;
        let internal = door(&ready, &mut running, |place| place.internal).await;
        running.spawn(probe(Arc::clone(&selected), Arc::clone(&ready)));
        Self { public, internal, selected, ready, _running: running }
    }

    /// Lets those of `pods` take connections that are ready.
    pub(crate) fn select(&self, pods: Vec<Place>) {
        *self.selected.lock().unwrap() = pods;
    }

    /// Waits until exactly the pods at these public addresses get connections.
    pub(crate) async fn leads_to(&self, mut pods: Vec<SocketAddr>) {
        pods.sort_unstable();
        let same = || {
            let mut ready: Vec<_> = self.ready.lock().unwrap().iter().map(|place| place.public).collect();
            ready.sort_unstable();
            std::future::ready(ready == pods)
        };
        wait_until("the Service to see who is ready", same).await;
    }
}

/// Keeps the list of those that are ready.
async fn probe(selected: Places, ready: Places) {
    loop {
        let (pods, before) = (selected.lock().unwrap().clone(), ready.lock().unwrap().clone());
        let asked = pods.into_iter().map(|pod| async {
            let answer = timeout(ANSWER, is_ready(&pod.probe)).await;
            // One that is slow stays what it was, and holds up nobody who drains.
            let is_ready = answer.unwrap_or_else(|_| before.iter().any(|was| was.public == pod.public));
            is_ready.then_some(pod)
        });
        let found = join_all(asked).await.into_iter().flatten().collect();
        *ready.lock().unwrap() = found;
        sleep(PROBE).await;
    }
}

async fn is_ready(pod: &TestClient) -> bool {
    let answer = pod.request(Method::GET, "/health/ready").send().await;
    answer.is_ok_and(|answer| answer.status() == 200)
}

/// Listens on an address of its own and carries what comes to the next of those that are ready.
async fn door(ready: &Places, running: &mut JoinSet<()>, of: fn(&Place) -> SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let ready = Arc::clone(ready);
    running.spawn(async move {
        let (mut carried, mut turn) = (JoinSet::new(), 0_usize);
        while let Ok((client, _)) = listener.accept().await {
            let pods: Vec<_> = ready.lock().unwrap().iter().map(of).collect();
            turn = turn.wrapping_add(1);
            // With none, the client is hung up on.
            if let Some(pod) = pods.get(turn % pods.len().max(1)) {
                carried.spawn(carry(client, *pod));
            }
            while carried.try_join_next().is_some() {}
        }
    });
    address
}

async fn carry(mut client: TcpStream, pod: SocketAddr) {
    let Ok(mut server) = TcpStream::connect(pod).await else { return };
    for end in [&client, &server] {
        let _ = end.set_nodelay(true);
    }
    // How it ends, both ends see for themselves.
    let _ = copy_bidirectional(&mut client, &mut server).await;
}
