//! Which records a topic took lately: what a sender asks that does not know whether it has sent.

use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN};

use crate::{Headers, Record};

/// So many records of each partition, the newest ones, are looked at; a sender's last batch is far smaller.
pub(crate) const RECENT_RECORDS: i64 = 16_384;

/// Stands for a record's key, value and headers: equal when all of them are, byte for byte and in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; SHA256_OUTPUT_LEN]);

impl Fingerprint {
    /// Takes that of a record to be produced.
    pub fn of(record: &Record) -> Self {
        Self::new(record.key.as_deref(), record.value.as_deref(), &record.headers)
    }

    pub(crate) fn new(key: Option<&[u8]>, value: Option<&[u8]>, headers: &Headers) -> Self {
        let mut hash = Context::new(&SHA256);
        feed(&mut hash, key);
        feed(&mut hash, value);
        for (name, value) in headers.iter() {
            feed(&mut hash, Some(name.as_bytes()));
            feed(&mut hash, value);
        }
        let mut digest = [0; SHA256_OUTPUT_LEN];
        digest.copy_from_slice(hash.finish().as_ref());
        Self(digest)
    }
}

/// The length goes first, so that bytes cannot move from one field to the next unseen; null is not empty.
fn feed(hash: &mut Context, field: Option<&[u8]>) {
    hash.update(&field.map_or(u64::MAX, |bytes| bytes.len() as u64).to_le_bytes());
    hash.update(field.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_counts() {
        let plain = Record::new("topic", "key", "value");
        let null = |header: Option<Vec<u8>>| {
            let mut record = plain.clone();
            record.headers.push("name", header);
            record
        };
        let records = [
            plain.clone(),
            Record::new("topic", "keyv", "alue"),
            Record { key: None, ..plain.clone() },
            Record { value: None, ..plain.clone() },
            Record::new("topic", "key", ""),
            null(None),
            null(Some(Vec::new())),
            plain.clone().header("name", "1").header("name", "2"),
            plain.clone().header("name", "2").header("name", "1"),
        ];

        let distinct: std::collections::HashSet<_> = records.iter().map(Fingerprint::of).collect();

        assert_eq!(distinct.len(), records.len());
        assert_eq!(Fingerprint::of(&plain), Fingerprint::of(&plain.clone()));
    }
}
