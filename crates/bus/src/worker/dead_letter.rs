//! A dead letter: the original key, value and headers, and what an operator needs to find out why.

use super::Policy;
use crate::{Delivered, Headers, Record, record, topics};

/// How many headers of ours say where a record comes from and why it is dead.
const FACTS: usize = 5;

/// Makes the dead letter of `record`, which was tried `tries` times.
pub(super) fn of(record: &Delivered, reason: &str, tries: u32, policy: &Policy) -> Record {
    let at = &record.position;
    let topic = policy.dead_letter_topic.clone().unwrap_or_else(|| topics::dead_letters_of(&at.topic));
    let mut headers = record.headers.clone();
    let facts: [_; FACTS] = [
        (record::ERROR, reason.to_owned()),
        (record::ATTEMPTS, tries.to_string()),
        (record::SOURCE_TOPIC, at.topic.to_string()),
        (record::SOURCE_PARTITION, at.partition.to_string()),
        (record::SOURCE_OFFSET, at.offset.to_string()),
    ];
    for (name, value) in facts {
        headers.push(name, Some(value.into_bytes()));
    }
    Record { topic, key: record.key.clone(), value: record.value.clone(), headers }
}

/// Makes what is left of a dead letter that no topic takes for its size: where the original is, and how large it was.
pub(super) fn stub(letter: &Record) -> Record {
    let mut headers = Headers::new();
    let facts: Vec<_> = letter.headers.iter().collect();
    // Ours are the last ones: the original may have had headers of the same names.
    for (name, value) in &facts[facts.len().saturating_sub(FACTS)..] {
        headers.push(*name, value.map(<[u8]>::to_vec));
    }
    headers.push(record::OMITTED_BYTES, Some(letter.size().to_string().into_bytes()));
    Record { topic: letter.topic.clone(), key: None, value: None, headers }
}
