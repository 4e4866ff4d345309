//! The decrypting threads: one per core, each with its own copies of the keys.
//!
//! In: encrypted payloads of a batch. Out: messages, or why there is none. Nothing opened is written anywhere.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use common::crypto::sms_envelope::{
    Binding, OpenError, Opener, Unwrapped, Version, decode_payload, seal_id, unwrap_all, unwrapped_together,
};
use common::crypto::sms_payload::{PayloadError, SmsPayload};
use common::models::sms::{ClientId, CorrelId, SmsState};
use tokio::sync::{mpsc, oneshot};

use super::vault::{CachedVault, VaultUnavailable};
use crate::metrics::Metrics;
use crate::store::rows::JobRow;

/// An encrypted message, and what it is bound to.
pub(crate) struct Sealed {
    /// Whose key opens it.
    pub(crate) client_id: ClientId,
    /// The tenant's id of the request.
    pub(crate) correl_id: CorrelId,
    /// The request's deadline as it is written there; counts in version 2 only.
    pub(crate) deadline: String,
    /// Base64 as it came.
    pub(crate) payload: String,
}

impl Sealed {
    /// Gives the encrypted message of a job; `None` once its payload is gone.
    pub(crate) fn of(row: &JobRow) -> Option<Self> {
        Some(Self {
            client_id: row.client_id.clone(),
            correl_id: row.correl_id.clone(),
            deadline: row.deadline_text.clone().unwrap_or_default(),
            payload: row.payload.clone()?,
        })
    }
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
    /// A fault of ours that this envelope brings out, each time.
    #[error("internal error")]
    Fault,
    /// Not the request's fault: there are no keys at present.
    #[error(transparent)]
    Vault(#[from] VaultUnavailable),
    /// Not the request's fault: the threads have ended.
    #[error("decryption has stopped")]
    Stopped,
}

impl OpenFailure {
    /// Gives the status of a request that cannot be opened.
    pub(crate) fn state(&self) -> SmsState {
        match self {
            Self::Fault => SmsState::Failed,
            _ => SmsState::Invalid,
        }
    }

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

/// A message that was opened.
pub(crate) struct Opened {
    /// The message.
    pub(crate) message: SmsPayload,
    /// Names the envelope, if its version lets it be used once only.
    pub(crate) seal: Option<String>,
}

type Opening = Result<Opened, OpenFailure>;

struct Chunk {
    items: Vec<Sealed>,
    reply: oneshot::Sender<Vec<Opening>>,
}

/// The handle on the threads. They end when it is dropped.
pub(crate) struct Openers {
    chunks: mpsc::Sender<Chunk>,
    threads: usize,
    /// Items that one thread opens best together.
    together: usize,
    metrics: Metrics,
}

impl Openers {
    /// Starts `threads` threads, or one per core for 0; `in_lanes`: RSA may be done for several items at once.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn spawn(
        threads: usize,
        in_lanes: bool,
        vault: &Arc<CachedVault>,
        metrics: Metrics,
    ) -> Result<Self, std::io::Error> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if threads == 0 { cores() } else { threads };
        let together = if in_lanes { unwrapped_together() } else { 1 };
        tracing::info!(decrypt.threads = threads, decrypt.together = together, "decryption starts");
        let (chunks, queue) = mpsc::channel(threads * 2);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..threads {
            let worker = Worker {
                vault: vault.clone(),
                version: 0,
                openers: HashMap::new(),
                in_lanes,
                metrics: metrics.clone(),
            };
            let queue = queue.clone();
            std::thread::Builder::new().name("sms-open".into()).spawn(move || worker.run(&queue))?;
        }
        Ok(Self { chunks, threads, together, metrics })
    }

    /// Opens a batch, spread over the threads; the results come in its order.
    pub(crate) async fn open(&self, mut items: Vec<Sealed>) -> Vec<Opening> {
        let total = items.len();
        let timer = self.metrics.open_seconds.start_timer();
        let size = total.div_ceil(self.threads).next_multiple_of(self.together).max(1);
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

/// Opens all together or, if that panics, each alone: one that brings out a fault takes neither the others with it nor the
/// thread.
fn apart_if_it_panics(items: &[Sealed], mut open: impl FnMut(&[Sealed]) -> Vec<Opening>) -> Vec<Opening> {
    let mut guarded = |items: &[Sealed]| catch_unwind(AssertUnwindSafe(|| open(items))).ok();
    if let Some(opened) = guarded(items) {
        return opened;
    }
    let alone = |one: &[Sealed]| {
        guarded(one).unwrap_or_else(|| {
            for Sealed { client_id, correl_id, .. } in one {
                tracing::error!(sms.client = %client_id, sms.correl = %correl_id, "decryption panics at a message");
            }
            vec![Err(OpenFailure::Fault)]
        })
    };
    items.chunks(1).flat_map(alone).collect()
}

/// One thread.
struct Worker {
    vault: Arc<CachedVault>,
    /// Of the vault that `openers` are from.
    version: u64,
    openers: HashMap<ClientId, Option<Opener>>,
    in_lanes: bool,
    metrics: Metrics,
}

impl Worker {
    fn run(mut self, queue: &Mutex<mpsc::Receiver<Chunk>>) {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
            let Some(chunk) = next else { return };
            let opened = apart_if_it_panics(&chunk.items, |items| self.open_all(items));
            // Whoever asked may have gone.
            let _ = chunk.reply.send(opened);
        }
    }

    fn open_all(&mut self, items: &[Sealed]) -> Vec<Opening> {
        let keys = self.take_keys(items);
        let envelopes: Vec<_> = items.iter().map(|item| decode_payload(&item.payload)).collect();
        let in_lanes = self.in_lanes && keys.is_ok();
        let pairs = items.iter().zip(&envelopes).map(|(item, envelope)| {
            let opener = self.openers.get(&item.client_id)?.as_ref()?;
            Some((opener, envelope.as_deref().ok().filter(|_| in_lanes)?))
        });
        let unwrapped = unwrap_all(pairs);
        let each = items.iter().zip(envelopes).zip(unwrapped);
        each.map(|((item, envelope), unwrapped)| {
            let envelope = envelope?;
            keys.clone()?;
            self.open(item, &envelope, &unwrapped)
        })
        .collect()
    }

    fn open(&mut self, item: &Sealed, envelope: &[u8], unwrapped: &Unwrapped) -> Opening {
        let Some(opener) = self.openers.get_mut(&item.client_id).and_then(Option::as_mut) else {
            self.metrics.keys_missing_total.inc();
            tracing::error!(sms.client = %item.client_id, "a client that may send has no key in the vault");
            return Err(OpenFailure::NoKey(item.client_id.clone()));
        };
        let binding = Binding {
            client_id: item.client_id.as_str(),
            correl_id: item.correl_id.as_str(),
            deadline: &item.deadline,
        };
        let octets = opener.open_unwrapped(envelope, &binding, unwrapped)?;
        self.metrics.opened_total.inc();
        let seal = match Version::of(envelope)? {
            // The known clients send the same envelope again when they try again.
            Version::V1 => None,
            Version::V2 => Some(hex::encode(seal_id(envelope)?)),
        };
        Ok(Opened { message: SmsPayload::parse(&octets)?, seal })
    }

    /// Makes this thread's copies of the keys of the items' clients, as the vault has them now.
    fn take_keys(&mut self, items: &[Sealed]) -> Result<(), VaultUnavailable> {
        let keys = self.vault.keys()?;
        if keys.version != self.version {
            self.openers.clear();
            self.version = keys.version;
        }
        for item in items {
            if !self.openers.contains_key(&item.client_id) {
                let opener = keys.vault.as_ref().and_then(|vault| vault.opener(item.client_id.as_str()));
                self.openers.insert(item.client_id.clone(), opener);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(correl: &str) -> Sealed {
        let (deadline, payload) = Default::default();
        Sealed { client_id: "acme".into(), correl_id: correl.into(), deadline, payload }
    }

    #[test]
    fn a_message_that_brings_out_a_panic_takes_no_other_with_it() {
        let items = ["good", "bad", "good"].map(sealed);
        let open = |items: &[Sealed]| {
            let opened = items.iter().map(|item| match item.correl_id.as_str() {
                "bad" => panic!("brought out"),
                _ => Err(OpenFailure::NoKey("acme".into())),
            });
            opened.collect()
        };

        let opened = apart_if_it_panics(&items, open);

        let states: Vec<_> =
            opened.into_iter().filter_map(Result::err).map(|failure| failure.state()).collect();
        assert_eq!(states, [SmsState::Invalid, SmsState::Failed, SmsState::Invalid]);
    }
}
