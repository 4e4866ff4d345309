//! A provider over HTTP as a link takes it: messages in, what became of each out, like an ESME.
//!
//! One task for each provider, with a window of requests under way and a rate. Every [`Submission`] that
//! [`HttpBackend::submit`] took gets exactly one [`Event`].

mod client;
mod driver;
mod exchange;
mod trouble;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::models::SharedClock;
use common::models::sms::SmscName;
use reqwest::Client;
use smpp::esme::EsmeStats;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::domain::provider::{Message, Provider, Verdict};
use crate::settings::{Connection, Settings, Unreachable};
pub(crate) use client::ClientError;
use trouble::{Cause, Pauses, Trouble};

/// A message for a provider.
pub(crate) struct Submission {
    /// The owner's name for it; repeated in the event about it.
    pub(crate) token: u64,
    /// The message.
    pub(crate) message: Message,
}

/// What became of a submission.
#[derive(Debug)]
pub(crate) struct Event {
    /// The submission.
    pub(crate) token: u64,
    /// What became of it.
    pub(crate) landing: Landing,
    /// How long that took since it was begun, over all URLs.
    pub(crate) took: Duration,
}

/// See [`Event`].
#[derive(Debug)]
pub(crate) enum Landing {
    /// The provider answered, or not.
    Answered(Verdict),
    /// Certainly not sent; it may be submitted again.
    NotSent,
}

/// How a provider is run.
pub(crate) struct BackendSettings<'a> {
    pub(crate) name: SmscName,
    pub(crate) provider: Provider,
    pub(crate) window: usize,
    pub(crate) tps: f64,
    pub(crate) unreachable: Unreachable,
    pub(crate) connection: &'a Connection,
}

/// A handle to a provider's task; clones are the same one.
#[derive(Clone)]
pub(crate) struct HttpBackend {
    submissions: mpsc::Sender<Submission>,
    core: Arc<Core>,
}

/// What the task and its requests share.
struct Core {
    name: SmscName,
    provider: Provider,
    client: Mutex<Client>,
    connection: Connection,
    clock: SharedClock,
    window: usize,
    tps: f64,
    /// Between the beginnings of two requests.
    gap: Duration,
    max_answer_bytes: usize,
    unreachable: Unreachable,
    /// While the provider cannot be reached, or does not answer.
    trouble_pauses: Pauses,
    /// While it throttles.
    throttle_pauses: Pauses,
    retry_after_max: Duration,
    /// The longest time from the beginning of a request until its outcome is told.
    longest: Duration,
    /// Place of the URL that answered last.
    last_good: AtomicUsize,
    in_flight: AtomicUsize,
    trouble: Mutex<Trouble>,
    stop: CancellationToken,
}

impl HttpBackend {
    /// Starts the task on the current tokio runtime.
    ///
    /// # Errors
    /// [`ClientError`], see its variants.
    pub(crate) fn spawn(
        settings: BackendSettings<'_>,
        common: &Settings,
        clock: &SharedClock,
    ) -> Result<(Self, mpsc::Receiver<Event>), ClientError> {
        let BackendSettings { name, provider, window, tps, unreachable, connection } = settings;
        let urls = u32::try_from(provider.urls()).unwrap_or(u32::MAX);
        let core = Arc::new(Core {
            client: Mutex::new(client::client(connection, provider.needs_tls())?),
            connection: connection.clone(),
            clock: clock.clone(),
            window,
            tps,
            gap: driver::gap(tps),
            max_answer_bytes: connection.max_answer_bytes,
            unreachable,
            trouble_pauses: Pauses { first: connection.pause, longest: connection.pause_max },
            throttle_pauses: Pauses { first: common.throttle_backoff, longest: common.throttle_backoff_max },
            retry_after_max: connection.retry_after_max,
            longest: connection.connect_timeout.saturating_mul(urls)
                + connection.response_timeout
                + exchange::LAST_LOOK,
            last_good: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            trouble: Mutex::default(),
            stop: CancellationToken::new(),
            name,
            provider,
        });
        let (submissions, queue) = mpsc::channel(window);
        let (events, read) = mpsc::channel(window);
        tokio::spawn(driver::run(core.clone(), queue, events));
        Ok((Self { submissions, core }, read))
    }

    /// Hands over submissions. One that cannot be handed over, as the task has ended, has no event.
    pub(crate) async fn submit(&self, submissions: Vec<Submission>) {
        for submission in submissions {
            if self.submissions.send(submission).await.is_err() {
                tracing::debug!(smsc = %self.core.name, "the task ended before it took all messages");
                return;
            }
        }
    }

    /// Tells whether messages can go out now.
    pub(crate) fn is_usable(&self) -> bool {
        matches!(self.core.trouble(), None | Some(Cause::Throttled))
    }

    /// Gives the counters, as of an ESME.
    pub(crate) fn stats(&self) -> EsmeStats {
        EsmeStats {
            in_flight: self.core.in_flight.load(Ordering::Relaxed),
            rate: Some(self.core.tps).filter(|tps| *tps > 0.0),
            paused: self.core.trouble().is_some(),
            ..EsmeStats::default()
        }
    }

    /// Reads the file with the authorities anew, for the connections to come; none where there is no such file. Blocks.
    pub(crate) fn reload(&self) -> Option<Result<(), ClientError>> {
        let core = &self.core;
        core.connection.ca_file.as_ref()?;
        let renewed = client::client(&core.connection, core.provider.needs_tls());
        Some(renewed.map(|client| *core.client.lock().unwrap_or_else(PoisonError::into_inner) = client))
    }

    /// Tells the longest time from the beginning of a request until its outcome is told.
    pub(crate) fn longest(&self) -> Duration {
        self.core.longest
    }

    /// Ends it: nothing more is begun, what is under way is waited for. Its events end with it.
    pub(crate) fn shutdown(&self) {
        self.core.stop.cancel();
    }
}

impl Core {
    /// Tells why the provider is left alone now, if it is.
    fn trouble(&self) -> Option<Cause> {
        self.troubles().now(Instant::now())
    }

    fn troubles(&self) -> std::sync::MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client(&self) -> Client {
        self.client.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn last_good(&self) -> usize {
        self.last_good.load(Ordering::Relaxed)
    }

    /// Notes the URL at which the next message begins.
    fn remember(&self, index: usize) {
        if self.last_good.swap(index, Ordering::Relaxed) != index {
            tracing::info!(smsc = %self.name, url = index + 1, "another URL is used");
        }
    }

    /// Learns from an answer how the provider does.
    fn learn(&self, verdict: &Verdict) {
        let now = Instant::now();
        match verdict {
            Verdict::Accepted { .. } | Verdict::Refused { .. } => self.troubles().end(),
            Verdict::Throttled { pause } => {
                let wish = pause.unwrap_or_default().min(self.retry_after_max);
                self.troubles().begin((Cause::Throttled, wish), self.throttle_pauses, now);
            }
            Verdict::Unknown { why } => {
                tracing::warn!(smsc = %self.name, why, "the outcome of a message is unknown");
                if let Some(pause) = self.troubles().unanswered(self.trouble_pauses, now) {
                    tracing::warn!(smsc = %self.name, ?pause, "several outcomes in a row are unknown");
                }
            }
        }
    }

    /// Says what becomes of a message for which there was no connection.
    fn unreachable(&self) -> Landing {
        match self.unreachable {
            Unreachable::Fail => {
                let text = format!("no URL of {} can be reached", self.name);
                Landing::Answered(Verdict::Refused { text })
            }
            Unreachable::Wait => {
                self.leave_alone();
                Landing::NotSent
            }
        }
    }

    /// Begins a pause, as there was no connection.
    fn leave_alone(&self) {
        let cause = (Cause::Unreachable, Duration::ZERO);
        if let Some(pause) = self.troubles().begin(cause, self.trouble_pauses, Instant::now()) {
            tracing::warn!(smsc = %self.name, ?pause, "it cannot be reached");
        }
    }
}
