//! Records for `send-sms`, sealed beforehand: what a client pays is not measured.
//!
//! An envelope of version 1 is bound to no request, so few of them serve for many records with a correl-id each, and a
//! run of any length needs little time and memory here; the gateway decrypts them anew each time. In version 2 each
//! record has its own.

use bus::{Bus, Record};
use common::crypto::sms_envelope::{Binding, KeyKind, SealingKey, encode_payload, seal};
use common::models::{Clock as _, SystemClock};
use serde_json::json;

use super::SEND;
use crate::error::BenchError;

/// Records that are handed to the producer at once.
const CHUNK: usize = 1000;
/// Envelopes of version 1 that are sealed at most.
const ENVELOPES: usize = 10_000;
/// From now to the records' deadline.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// So many records, whose correl-ids are the batch's name and a number from 0.
pub(super) struct Batch {
    client: &'static str,
    name: &'static str,
    deadline: String,
    payloads: Vec<String>,
    count: usize,
}

impl Batch {
    /// Seals what they need, each to another number.
    ///
    /// # Errors
    /// When the encryption fails.
    pub(super) async fn seal(
        key: &SealingKey,
        client: &'static str,
        name: &'static str,
        count: usize,
    ) -> Result<Self, BenchError> {
        let deadline = (SystemClock.now() + DEADLINE).to_rfc3339_seconds();
        let envelopes = match key.kind() {
            KeyKind::Rsa => count.min(ENVELOPES),
            KeyKind::X25519 => count,
        };
        let (key, until) = (key.clone(), deadline.clone());
        let sealing = tokio::task::spawn_blocking(move || {
            let payload = |number| {
                let correl_id = correl_id(name, number);
                payload(&key, &Binding { client_id: client, correl_id: &correl_id, deadline: &until }, number)
            };
            (0..envelopes).map(payload).collect::<Result<Vec<_>, _>>()
        });
        let payloads = sealing.await.map_err(|error| BenchError::of("sealing", error))??;
        Ok(Self { client, name, deadline, payloads, count })
    }

    /// How many records there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// How many envelopes they have between them.
    pub(super) fn envelopes(&self) -> usize {
        self.payloads.len()
    }

    /// Puts them on the topic, partitions in turn.
    ///
    /// # Errors
    /// When Kafka does not take them.
    pub(super) async fn produce(&self, bus: &Bus) -> Result<(), BenchError> {
        let producer = bus.producer();
        for first in (0..self.count).step_by(CHUNK) {
            let chunk = first..(first + CHUNK).min(self.count);
            producer.send(chunk.map(|number| self.record(number)).collect()).await?;
        }
        Ok(())
    }

    fn record(&self, number: usize) -> Record {
        let payload = self.payloads.get(number % self.payloads.len().max(1));
        let request = json!({
            "client-id": self.client, "correl-id": correl_id(self.name, number), "deadline": self.deadline,
            "payload": payload,
        });
        let value = Some(request.to_string().into_bytes());
        Record { topic: SEND.to_owned(), key: None, value, headers: bus::Headers::new() }
    }
}

fn payload(key: &SealingKey, binding: &Binding<'_>, number: usize) -> Result<String, BenchError> {
    let message = format!(
        "To: +2557{number:08}\nSender: BENCH\n\nYour parcel {number} has arrived. Please bring your identity card to the \
         counter until Friday, 17:00."
    );
    let envelope =
        seal(key, binding, message.as_bytes()).map_err(|error| BenchError::of("sealing", error))?;
    Ok(encode_payload(&envelope))
}

/// The correl-id of a record of a batch.
pub(super) fn correl_id(name: &str, number: usize) -> String {
    format!("{name}-{number}")
}

/// Its number, if it is of that batch.
pub(super) fn number(name: &str, correl_id: &str) -> Option<usize> {
    correl_id.strip_prefix(name)?.strip_prefix('-')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correl_id_leads_back_to_its_record() {
        assert_eq!(number("bench", &correl_id("bench", 17)), Some(17));
        assert_eq!(number("warm", &correl_id("bench", 17)), None);
    }

    #[test]
    fn envelopes_serve_again_for_records_with_other_ids() {
        let payloads = vec!["one".to_owned(), "two".to_owned()];
        let batch = Batch { client: "acme", name: "bench", deadline: String::new(), payloads, count: 3 };

        let value = |number| -> serde_json::Value {
            serde_json::from_slice(&batch.record(number).value.unwrap()).unwrap()
        };

        assert_eq!([0, 1, 2].map(|number| value(number)["payload"].clone()), ["one", "two", "one"]);
        assert_eq!(value(2)["correl-id"], "bench-2");
    }
}
