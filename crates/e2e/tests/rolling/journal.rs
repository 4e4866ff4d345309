//! What happens to the installation, and what its clients notice of it.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::RequestBuilder;
use testkit::http::Answer;
use tokio::time::{Instant, sleep};

/// How long a client pauses before it tries again.
const RETRY: Duration = Duration::from_millis(20);

/// How long a client tries.
const INSIST: Duration = Duration::from_secs(20);

/// Knows what is going on. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    stage: Arc<str>,
    failures: Vec<String>,
}

impl Journal {
    /// From now on it is `stage` that goes on.
    pub(crate) fn begin(&self, stage: impl Into<Arc<str>>) {
        self.0.lock().unwrap().stage = stage.into();
    }

    /// What goes on.
    pub(crate) fn stage(&self) -> Arc<str> {
        Arc::clone(&self.0.lock().unwrap().stage)
    }

    /// Notes that a client had to try again.
    pub(crate) fn failed(&self, what: &str, why: impl fmt::Display) {
        let mut entries = self.0.lock().unwrap();
        let failure = format!("{what}, during {}: {why}", entries.stage);
        entries.failures.push(failure);
    }

    /// All that clients had to try again.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.0.lock().unwrap().failures.clone()
    }

    /// Sends a request once. `None`, and a note, for what a client may try again: 502, 503, 504, a connection that ends without an
    /// answer. Any other refusal fails the test.
    pub(crate) async fn attempt(&self, what: &str, request: RequestBuilder) -> Option<Answer> {
        let answer = async {
            let response = request.send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok::<_, reqwest::Error>(Answer { status, headers, body: response.bytes().await?.to_vec() })
        };
        match answer.await {
            Ok(answer) if answer.status.is_success() => return Some(answer),
            Ok(answer) if matches!(answer.status.as_u16(), 502..=504) => {
                self.failed(what, format_args!("{}: {}", answer.status, answer.text()));
            }
            Ok(answer) => panic!("{what}, during {}: {}: {}", self.stage(), answer.status, answer.text()),
            Err(error) => self.failed(what, format_args!("{error:?}")),
        }
        None
    }

    /// Sends a request until it is answered.
    pub(crate) async fn insist(&self, what: &str, request: impl Fn() -> RequestBuilder) -> Answer {
        let end = Instant::now() + INSIST;
        loop {
            if let Some(answer) = self.attempt(what, request()).await {
                return answer;
            }
            assert!(Instant::now() < end, "{what}, during {}: in vain for {INSIST:?}", self.stage());
            sleep(RETRY).await;
        }
    }
}

/// Something that was accepted, for the case that it does not arrive.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) what: String,
    pub(crate) during: Arc<str>,
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, accepted during {}", self.what, self.during)
    }
}
