//! The receiver of `deploy/test-peers/npm/webhook_receiver.mjs`, which verifies with the reference library.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde::Deserialize;
use serde_json::Value;

use crate::http::TestClient;
use crate::peers;
use crate::wait::wait_until;

/// A secret of tests, in the form of the settings.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Another one.
pub const OTHER_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

/// A receiver that runs until it is dropped.
pub struct Receiver {
    port: u16,
    client: TestClient,
    process: Child,
}

/// A request that came.
#[derive(Clone, Debug, Deserialize)]
pub struct Received {
    /// Its path.
    pub path: String,
    /// Its `webhook-id`.
    pub id: String,
    /// What was answered.
    pub status: i32,
    /// Whether one of the receiver's secrets has signed it, just now.
    pub genuine: bool,
    /// Its `traceparent`, if it has one.
    pub traceparent: Option<String>,
    /// The event.
    pub body: Value,
}

impl Receiver {
    /// Starts one that knows these secrets.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(secrets: &[&str]) -> Self {
        let mut node = peers::node("webhook_receiver.mjs").expect("packages of npm");
        let mut process = node.args(secrets).stdout(Stdio::piped()).spawn().expect("a receiver");
        let mut line = String::new();
        let output = process.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("its first line");
        let ready: Value = serde_json::from_str(&line).expect("its port");
        let port = ready["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("its port");
        Self { port, client: TestClient::new(format!("http://127.0.0.1:{port}")), process }
    }

    /// Gives the URL of a hook.
    pub fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.port)
    }

    /// Says what to answer next; the form is in the script.
    pub async fn answer(&self, answer: &Value) {
        self.client.post("/answer", answer).await.assert_status(200);
    }

    /// Gives everything that came so far, which must all be genuine.
    ///
    /// # Panics
    /// When something is not.
    pub async fn all(&self) -> Vec<Received> {
        let all = self.whatever().await;
        assert!(all.iter().all(|one| one.genuine), "{all:?}");
        all
    }

    /// Gives everything that came so far, genuine or not.
    ///
    /// # Panics
    /// When the receiver does not answer.
    pub async fn whatever(&self) -> Vec<Received> {
        let answer = self.client.get("/received").await.expect(200);
        serde_json::from_str(&answer.text()).expect("a list")
    }

    /// Waits until so many requests were answered with 2xx, and gives those.
    pub async fn taken(&self, count: usize) -> Vec<Received> {
        let taken = async || {
            let mut all = self.all().await;
            all.retain(|one| (200..300).contains(&one.status));
            all
        };
        wait_until("events at the receiver", async || taken().await.len() >= count).await;
        let all = taken().await;
        assert_eq!(all.len(), count, "{all:?}");
        all
    }

    /// Waits until so many requests came, whatever was answered.
    pub async fn asked(&self, count: usize) -> Vec<Received> {
        wait_until("requests at the receiver", async || self.whatever().await.len() >= count).await;
        self.whatever().await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
