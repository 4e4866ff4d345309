//! Records for `send-sms`, sealed beforehand: what a client pays is not measured.

use bus::{Bus, Record};
use common::crypto::sms_envelope::{SealingKey, encode_payload, seal_v1};
use serde_json::json;

use super::SEND;
use crate::error::BenchError;

/// Records that are handed to the producer at once.
const CHUNK: usize = 1000;

/// So many records, whose correl-ids are the batch's name and a number from 0.
pub(super) struct Batch {
    values: Vec<Vec<u8>>,
}

impl Batch {
    /// Seals them, each to another number.
    ///
    /// # Errors
    /// When OpenSSL fails.
    pub(super) async fn seal(
        key: &SealingKey,
        client: &'static str,
        name: &'static str,
        count: usize,
    ) -> Result<Self, BenchError> {
        let key = key.clone();
        let sealing = tokio::task::spawn_blocking(move || {
            (0..count).map(|number| request(&key, client, name, number)).collect::<Result<Vec<_>, _>>()
        });
        Ok(Self { values: sealing.await.map_err(|error| BenchError::of("sealing", error))?? })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.values.len()
    }

    /// Puts them on the topic, partitions in turn.
    ///
    /// # Errors
    /// When Kafka does not take them.
    pub(super) async fn produce(&self, bus: &Bus) -> Result<(), BenchError> {
        let producer = bus.producer();
        for chunk in self.values.chunks(CHUNK) {
            let record = |value: &Vec<u8>| Record {
                topic: SEND.to_owned(),
                key: None,
                value: Some(value.clone()),
                headers: bus::Headers::new(),
            };
            producer.send(chunk.iter().map(record).collect()).await?;
        }
        Ok(())
    }
}

fn request(key: &SealingKey, client: &str, name: &str, number: usize) -> Result<Vec<u8>, BenchError> {
    let message = format!(
        "To: +2557{number:08}\nSender: BENCH\n\nYour parcel {number} has arrived. Please bring your identity card to the \
         counter until Friday, 17:00."
    );
    let envelope = seal_v1(key, message.as_bytes()).map_err(|error| BenchError::of("sealing", error))?;
    let request = json!({
        "client-id": client, "correl-id": correl_id(name, number), "deadline": "2100-01-01T00:00:00Z",
        "payload": encode_payload(&envelope),
    });
    Ok(request.to_string().into_bytes())
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
}
