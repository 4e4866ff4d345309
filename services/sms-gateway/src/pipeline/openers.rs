//! The decrypting threads: one per core, each with its own copies of the keys.
//!
//! In: encrypted payloads of a batch. Out: messages, or why there is none. Nothing opened is written anywhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use common::crypto::sms_envelope::{OpenError, Opener, decode_payload};
use common::crypto::sms_payload::{PayloadError, SmsPayload};
use common::models::sms::ClientId;
use tokio::sync::{mpsc, oneshot};

use super::vault::{CachedVault, VaultUnavailable};
use crate::metrics::Metrics;

/// An encrypted message.
pub(crate) struct Sealed {
    /// Whose key opens it.
    pub(crate) client_id: ClientId,
    /// Base64 as it came.
    pub(crate) payload: String,
}

/// Why a message cannot be had. `Display` is the `error-text`, and never quotes the content.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum OpenFailure {
    /// The envelope cannot be opened.
    #[error("payload cannot be parsed: {0}")]
    Envelope(#[from] OpenError),
    /// No key.
    #[error("payload cannot be parsed: the vault has no key for client {0}")]
    NoKey(ClientId),
    /// The grammar of what was in it.
    #[error("payload cannot be parsed: {0}")]
    Grammar(PayloadError),
    /// Recipient or text.
    #[error("{0}")]
    Message(PayloadError),
    /// Not the request's fault: there are no keys at present.
    #[error(transparent)]
    Vault(#[from] VaultUnavailable),
    /// Not the request's fault: the threads have ended.
    #[error("decryption has stopped")]
    Stopped,
}

impl OpenFailure {
    /// Tells whether the same request may be opened later.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self, Self::Vault(_) | Self::Stopped)
    }
}

impl From<PayloadError> for OpenFailure {
    fn from(error: PayloadError) -> Self {
        match error {
            PayloadError::Grammar => Self::Grammar(error),
            _ => Self::Message(error),
        }
    }
}

type Opened = Result<SmsPayload, OpenFailure>;

struct Chunk {
    items: Vec<Sealed>,
    reply: oneshot::Sender<Vec<Opened>>,
}

/// The handle on the threads. They end when it is dropped.
pub(crate) struct Openers {
    chunks: mpsc::Sender<Chunk>,
    threads: usize,
    metrics: Metrics,
}

impl Openers {
    /// Starts `threads` threads, or one per core for 0.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn spawn(
        threads: usize,
        vault: &Arc<CachedVault>,
        metrics: Metrics,
    ) -> Result<Self, std::io::Error> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if threads == 0 { cores() } else { threads };
        let (chunks, queue) = mpsc::channel(threads * 2);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..threads {
            let worker = Worker {
                vault: vault.clone(),
                version: 0,
                openers: HashMap::new(),
                metrics: metrics.clone(),
            };
            let queue = queue.clone();
            std::thread::Builder::new().name("sms-open".into()).spawn(move || worker.run(&queue))?;
        }
        Ok(Self { chunks, threads, metrics })
    }

    /// Opens a batch, spread over the threads; the results come in its order.
    pub(crate) async fn open(&self, mut items: Vec<Sealed>) -> Vec<Opened> {
        let total = items.len();
        let timer = self.metrics.open_seconds.start_timer();
        let size = total.div_ceil(self.threads).max(1);
        let mut replies = Vec::with_capacity(self.threads);
        while !items.is_empty() {
            let rest = items.split_off(size.min(items.len()));
            let (reply, answer) = oneshot::channel();
            let chunk = Chunk { items: std::mem::replace(&mut items, rest), reply };
            let count = chunk.items.len();
            // Without threads there is no answer, which is noticed below.
            let _ = self.chunks.send(chunk).await;
            replies.push((count, answer));
        }
        let mut opened = Vec::with_capacity(total);
        for (count, answer) in replies {
            match answer.await {
                Ok(results) => opened.extend(results),
                Err(_) => opened.extend((0..count).map(|_| Err(OpenFailure::Stopped))),
            }
        }
        timer.observe_duration();
        opened
    }
}

/// One thread.
struct Worker {
    vault: Arc<CachedVault>,
    /// Of the vault that `openers` are from.
    version: u64,
    openers: HashMap<ClientId, Vec<Opener>>,
    metrics: Metrics,
}

impl Worker {
    fn run(mut self, queue: &Mutex<mpsc::Receiver<Chunk>>) {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
            let Some(chunk) = next else { return };
            let opened = chunk.items.iter().map(|item| self.open(item)).collect();
            // Whoever asked may have gone.
            let _ = chunk.reply.send(opened);
        }
    }

    fn open(&mut self, item: &Sealed) -> Opened {
        let envelope = decode_payload(&item.payload)?;
        let openers = self.openers(&item.client_id)?;
        if openers.is_empty() {
            self.metrics.keys_missing_total.inc();
            tracing::error!(sms.client = %item.client_id, "a client that may send has no key in the vault");
            return Err(OpenFailure::NoKey(item.client_id.clone()));
        }
        let mut failure = OpenError::WrongKey;
        for opener in openers {
            match opener.open_v1(&envelope) {
                Ok(octets) => {
                    self.metrics.opened_total.inc();
                    return Ok(SmsPayload::parse(&octets)?);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure.into())
    }

    /// This thread's keys of a client, newest first.
    fn openers(&mut self, client: &ClientId) -> Result<&mut Vec<Opener>, VaultUnavailable> {
        let keys = self.vault.keys()?;
        if keys.version != self.version {
            self.openers.clear();
            self.version = keys.version;
        }
        Ok(self.openers.entry(client.clone()).or_insert_with(|| {
            let keys = keys.vault.as_ref().map(|vault| vault.keys(client.as_str())).unwrap_or_default();
            keys.iter().filter_map(|key| key.opener().ok()).collect()
        }))
    }
}
