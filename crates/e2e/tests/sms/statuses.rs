//! Reads a topic to its end and beyond, for as long as the test runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bus::{Bus, Delivered, Event};
use common::models::sms::SmsStatus;
use testkit::kafka;
use testkit::wait::wait_for;
use tokio::task::JoinHandle;
use tokio::time::{Duration, sleep};

/// How long to pause when the broker is away.
const AWAY: Duration = Duration::from_millis(100);

/// Hands every record of a topic to `take`, each once, until dropped. It commits nothing: when it has lost its partitions,
/// as with a dead broker, it reads them from their beginning and passes over what it knows.
pub(crate) struct Tail(JoinHandle<()>);

impl Tail {
    pub(crate) fn of(bus: &Bus, topic: &str, mut take: impl FnMut(Delivered) + Send + 'static) -> Self {
        let mut consumer = bus.consumer(&kafka::unique("reader"), &[topic]).unwrap();
        Self(tokio::spawn(async move {
            let mut next: HashMap<i32, i64> = HashMap::new();
            loop {
                match consumer.next(500).await {
                    Ok(Event::Records(records)) => {
                        for record in records {
                            let next = next.entry(record.position.partition).or_default();
                            if record.position.offset >= *next {
                                *next = record.position.offset + 1;
                                take(record);
                            }
                        }
                    }
                    Ok(_) => {}
                    Err(_) => sleep(AWAY).await,
                }
            }
        }))
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One status as it was published.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) status: SmsStatus,
    pub(crate) record: Delivered,
}

/// Everything on a status topic, by correl-id, each in its order.
pub(crate) struct Statuses {
    heard: Arc<Mutex<Heard>>,
    _tail: Tail,
}

#[derive(Default)]
pub(crate) struct Heard {
    by_correl: HashMap<String, Vec<Said>>,
    count: usize,
}

impl Statuses {
    pub(crate) fn of(bus: &Bus, topic: &str) -> Self {
        let heard: Arc<Mutex<Heard>> = Arc::default();
        let into = heard.clone();
        let tail = Tail::of(bus, topic, move |record| {
            let status: SmsStatus = serde_json::from_slice(record.bytes()).expect("a status");
            let correl = status.correl_id.as_str().to_owned();
            let mut heard = into.lock().unwrap();
            heard.count += 1;
            heard.by_correl.entry(correl).or_default().push(Said { status, record });
        });
        Self { heard, _tail: tail }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap()
    }

    pub(crate) fn said(&self, correl: &str) -> Vec<Said> {
        self.heard().by_correl.get(correl).cloned().unwrap_or_default()
    }

    /// Names of the statuses of a request, and whether each has a text.
    pub(crate) fn names(&self, correl: &str) -> Vec<(String, bool)> {
        let said = self.said(correl);
        said.iter().map(|one| (one.status.sms_status.to_string(), one.status.error_text.is_some())).collect()
    }

    /// Every status so far.
    pub(crate) fn all(&self) -> Vec<Said> {
        self.heard().by_correl.values().flatten().cloned().collect()
    }

    /// How many records came.
    pub(crate) fn count(&self) -> usize {
        self.heard().count
    }

    /// Waits until so many statuses of a request have come.
    pub(crate) async fn wait(&self, correl: &str, count: usize) -> Vec<Said> {
        let _told = TellsWhenInVain(self, correl);
        wait_for(&format!("{count} statuses of {correl}"), || {
            let said = self.said(correl);
            async move { (said.len() >= count).then_some(said) }
        })
        .await
    }
}

/// Says what was told of a request when the wait for more of it fails.
struct TellsWhenInVain<'a>(&'a Statuses, &'a str);

impl Drop for TellsWhenInVain<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("told of {}: {:?}", self.1, self.0.said(self.1));
        }
    }
}
