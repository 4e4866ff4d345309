//! How a tool reaches a gateway's HTTP interface, with an API key.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clients::{Timeouts, http_client};
use common::models::sms::SmsRequest;
use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use crate::console::{self, Outcome};
use crate::remote;

/// Longer than the gateway lets a reader of statuses wait.
const PATIENCE: Duration = Duration::from_secs(45);
/// How long a reader of statuses asks the gateway to wait, in seconds.
const LONG_POLL: u64 = 25;
/// How often a request is made while the gateway says "later".
const ATTEMPTS: u32 = 6;
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The gateway's address and the key for it.
#[derive(Args)]
#[command(next_help_heading = "HTTP")]
pub(super) struct Http {
    /// A gateway's public address, such as http://127.0.0.1:8080
    #[arg(long, value_name = "URL", requires = "api_key_file")]
    server: Option<Url>,
    /// File with the client's API key
    #[arg(long, value_name = "FILE", requires = "server")]
    api_key_file: Option<PathBuf>,
}

impl Http {
    /// Gives the gateway; none without a server.
    pub(super) fn gateway(&self) -> Outcome<Option<Gateway>> {
        let (Some(base), Some(key)) = (&self.server, &self.api_key_file) else { return Ok(None) };
        if !matches!(base.scheme(), "http" | "https") {
            return Err("--server: a URL that begins with http:// or https:// is expected".into());
        }
        let timeouts = Timeouts { connect: Duration::from_secs(5), request: PATIENCE };
        let client = http_client(timeouts, base.scheme() == "https")?;
        Ok(Some(Gateway { base: base.clone(), key: console::read_line(key)?, client }))
    }
}

/// A gateway, as one of its clients sees it.
pub(super) struct Gateway {
    base: Url,
    key: Zeroizing<String>,
    client: reqwest::Client,
}

/// Statuses in order; `next` is where to go on.
#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) statuses: Vec<Value>,
    pub(super) next: i64,
}

impl Gateway {
    /// Submits a request; `Ok` once the gateway has it safe. Repeating one is harmless: the gateway knows its ids.
    pub(super) async fn submit(&self, request: &SmsRequest) -> Outcome {
        self.call(self.client.post(self.url(&["v1", "sms"])).json(request)).await.map(drop)
    }

    /// Reads the statuses behind number `after`, and waits for the first of them if `patient`.
    pub(super) async fn statuses(&self, after: i64, patient: bool) -> Outcome<Page> {
        let wait = if patient { LONG_POLL } else { 0 };
        let mut url = self.url(&["v1", "sms", "status"]);
        url.set_query(Some(&format!("after={after}&limit=1000&timeout={wait}")));
        let answer = self.call(self.client.get(url)).await?;
        Ok(answer.json().await.map_err(reqwest::Error::without_url)?)
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    async fn call(&self, request: RequestBuilder) -> Outcome<Response> {
        let request = request.bearer_auth(self.key.as_str());
        for attempt in 1.. {
            let Some(this_time) = request.try_clone() else { break };
            let answer = this_time.send().await.map_err(|error| remote::unreachable(&self.base, &error))?;
            let later =
                matches!(answer.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
            // A conflict: the gateway has had a request of these ids already, which is as good.
            if answer.status().is_success() || answer.status() == StatusCode::CONFLICT {
                return Ok(answer);
            }
            if !later || attempt >= ATTEMPTS {
                return Err(remote::refused("gateway", answer).await);
            }
            tokio::time::sleep(pause(&answer)).await;
        }
        Err("the request cannot be repeated".into())
    }
}

/// What the gateway asks for, within reason.
fn pause(answer: &Response) -> Duration {
    let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    Duration::from_secs(asked.and_then(|text| text.parse().ok()).unwrap_or(1)).min(LONGEST_PAUSE)
}
