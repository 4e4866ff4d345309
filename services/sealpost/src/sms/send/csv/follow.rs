//! The client's statuses while a run goes on, from where they come.

use std::time::Duration;

use bus::{BusSettings, ReadFrom, TopicReader};
use common::models::sms::SmsStatus;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Send;
use crate::console::{self, Outcome};
use crate::sms::channel::unreachable;
use crate::sms::http::Gateway;

/// Between two tries while nobody answers.
const PAUSE: Duration = Duration::from_secs(1);
/// Rounds of statuses that wait to be taken.
const ROUNDS: usize = 16;

/// Reads statuses until it is dropped.
pub(super) struct Follower {
    news: mpsc::Receiver<Vec<SmsStatus>>,
    task: JoinHandle<()>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Follower {
    /// Begins to read: over HTTP behind `after`, in Kafka at the end of the topic, or, when a run goes on and some were
    /// published in the meantime, at its beginning.
    pub(super) async fn start(send: &Send, after: Option<i64>, goes_on: bool) -> Outcome<Self> {
        let (rounds, news) = mpsc::channel(ROUNDS);
        let task = match send.kafka.settings()? {
            Some(settings) => {
                let from = if goes_on { ReadFrom::Oldest } else { ReadFrom::Newest };
                let reader = TopicReader::open(&settings, &send.status_topic, from).await;
                let reader = reader.map_err(|error| unreachable(&settings, &error))?;
                tokio::spawn(over_kafka(reader, settings, rounds))
            }
            None => {
                let gateway = send.http.gateway()?.ok_or("give --brokers, or --server and --api-key-file")?;
                tokio::spawn(over_http(gateway, after.unwrap_or_default(), rounds))
            }
        };
        Ok(Self { news, task })
    }

    /// Waits for the next round; cancel-safe.
    pub(super) async fn next(&mut self) -> Vec<SmsStatus> {
        match self.news.recv().await {
            Some(round) => round,
            // The reader ends when this does, and not before.
            None => std::future::pending().await,
        }
    }

    /// Gives a round that is there already.
    pub(super) fn now(&mut self) -> Option<Vec<SmsStatus>> {
        self.news.try_recv().ok()
    }
}

/// Says what fails, but not again and again.
#[derive(Default)]
struct Trouble(String);

impl Trouble {
    fn tell(&mut self, error: String) {
        if self.0 != error {
            console::say(&format!("waiting for statuses: {error}"));
            self.0 = error;
        }
    }
}

async fn over_http(gateway: Gateway, mut after: i64, rounds: mpsc::Sender<Vec<SmsStatus>>) {
    let mut trouble = Trouble::default();
    loop {
        match page(&gateway, after, true).await {
            Ok((round, next)) => {
                trouble = Trouble::default();
                after = next;
                if rounds.send(round).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                trouble.tell(error.to_string());
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn over_kafka(mut reader: TopicReader, settings: BusSettings, rounds: mpsc::Sender<Vec<SmsStatus>>) {
    let mut trouble = Trouble::default();
    loop {
        match reader.next().await {
            // What is no status is for others to wonder about.
            Ok(record) => {
                let Ok(status) = serde_json::from_slice(record.bytes()) else { continue };
                if rounds.send(vec![status]).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                trouble.tell(unreachable(&settings, &error));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Reads the statuses behind `after`, and where to go on.
///
/// # Errors
/// No answer, a refusal, or what is no status.
pub(super) async fn page(gateway: &Gateway, after: i64, patient: bool) -> Outcome<(Vec<SmsStatus>, i64)> {
    let page = gateway.statuses(after, patient).await?;
    let statuses = page.statuses.into_iter().map(serde_json::from_value).collect::<Result<_, _>>()?;
    Ok((statuses, page.next))
}

/// Gives the number of the client's last status.
///
/// # Errors
/// As [`page`].
pub(super) async fn last(gateway: &Gateway) -> Outcome<i64> {
    let mut after = 0;
    loop {
        let (statuses, next) = page(gateway, after, false).await?;
        after = next;
        if statuses.is_empty() {
            return Ok(after);
        }
    }
}
