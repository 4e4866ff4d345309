//! A device that uploads one-time prekeys, and another that fetches them.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use testkit::http::TestClient;
use testkit::signal::PreKey;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::device::Device;
use crate::world::World;

/// Between two rounds.
const PACE: Duration = Duration::from_millis(100);

/// One-time keys that a device is registered with, with ids from 1 on.
const REGISTERED: i64 = 3;

/// The load, until it is finished.
pub(crate) struct Keys {
    stop: CancellationToken,
    running: AbortOnDropHandle<Tally>,
    owner: TestClient,
}

/// What became of the keys.
struct Tally {
    /// The id of the last one.
    uploaded: i64,
    fetched: BTreeSet<i64>,
    /// Fetches without an answer: each may have taken a key.
    unanswered: usize,
}

impl Keys {
    pub(crate) async fn start(world: &World) -> Self {
        let client = world.client();
        let (fetcher, device) =
            (Device::register(&client, "fetcher").await, Device::register(&client, "owner").await);
        let (fetcher, owner) = (client.with_token(fetcher.token), client.with_token(device.token));
        let (journal, stop) = (world.journal.clone(), CancellationToken::new());
        let (stopped, uploader) = (stop.clone(), owner.clone());
        let running = async move {
            let mut tally = Tally { uploaded: REGISTERED, fetched: BTreeSet::new(), unanswered: 0 };
            let path = format!("/v1/keys/{}/*", device.account);
            while !stopped.is_cancelled() {
                tally.uploaded += 1;
                let body = json!({"preKeys": [PreKey::new(tally.uploaded)]});
                let upload = || uploader.request(Method::PUT, "/v1/keys").json(&body);
                journal.insist("an upload of keys", upload).await;
                match journal.attempt("a fetch of keys", fetcher.request(Method::GET, &path)).await {
                    Some(bundle) => {
                        let key =
                            bundle.value()["devices"][0]["preKey"]["keyId"].as_i64().expect("a one-time key");
                        assert!(
                            tally.fetched.insert(key),
                            "key {key} is given out again during {}",
                            journal.stage()
                        );
                    }
                    None => tally.unanswered += 1,
                }
                sleep(PACE).await;
            }
            tally
        };
        Self { stop, running: AbortOnDropHandle::new(tokio::spawn(running)), owner }
    }

    /// Stops, and checks that every key was given out once or waits. Says how many there were.
    pub(crate) async fn finish(self) -> String {
        self.stop.cancel();
        let Tally { uploaded, fetched, unanswered } = self.running.await.unwrap();
        let waiting = self.owner.get("/v1/keys").await.expect(200).value()["count"].as_i64().unwrap();
        let given = uploaded - waiting;
        let known = i64::try_from(fetched.len()).unwrap();
        let unknown = known + i64::try_from(unanswered).unwrap();
        assert!(
            (known..=unknown).contains(&given),
            "{given} keys are gone, {known} came, {unanswered} may have"
        );
        format!("{uploaded} prekeys, {known} of them fetched")
    }
}
