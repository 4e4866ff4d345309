//! A dead letter: the original key, value and headers, and what an operator needs to find out why.

use super::Policy;
use crate::{Delivered, Record, record, topics};

/// Makes the dead letter of `record`, which was tried `tries` times.
pub(super) fn of(record: &Delivered, reason: &str, tries: u32, policy: &Policy) -> Record {
    let at = &record.position;
    let topic = policy.dead_letter_topic.clone().unwrap_or_else(|| topics::dead_letters_of(&at.topic));
    let mut headers = record.headers.clone();
    let facts = [
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
