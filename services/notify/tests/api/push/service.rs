//! The push service of `deploy/test-peers/npm/push_service.mjs`, and the device behind it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::{Value, json};
use testkit::http::TestClient;
use testkit::{peers, wait::wait_until};

/// A push service that runs until it is dropped.
pub(crate) struct PushService {
    pub(crate) port: u16,
    keys: Value,
    client: TestClient,
    process: Child,
}

impl PushService {
    pub(crate) fn start() -> Self {
        let mut process = peers::node("push_service.mjs").unwrap().stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let port = u16::try_from(ready["port"].as_u64().unwrap()).unwrap();
        let client = TestClient::new(format!("http://127.0.0.1:{port}"));
        Self { port, keys: ready["keys"].clone(), client, process }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The PushSubscription of the device, under a name.
    pub(crate) fn subscription(&self, name: &str) -> Value {
        let endpoint = format!("{}/push/{name}", self.origin());
        json!({"endpoint": endpoint, "expirationTime": null, "keys": self.keys})
    }

    /// What to answer next.
    pub(crate) async fn answer(&self, answer: &Value) {
        self.client.post("/answer", answer).await.assert_status(200);
    }

    /// Everything that came so far, all of it decrypted.
    pub(crate) async fn all(&self) -> Vec<Value> {
        let all: Vec<Value> =
            serde_json::from_str(&self.client.get("/received").await.expect(200).text()).unwrap();
        assert!(all.iter().all(|one| one.get("error").is_none()), "{all:?}");
        all
    }

    /// Everything that came, once it is so much, and no more than that.
    pub(crate) async fn received(&self, count: usize) -> Vec<Value> {
        wait_until("pushes", async || self.all().await.len() >= count).await;
        let all = self.all().await;
        assert_eq!(all.len(), count, "{all:?}");
        all
    }
}

impl Drop for PushService {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
