//! What the bus already has of the rows that are not marked: a relay that was killed, or did not hear the bus confirm,
//! has sent up to a batch of them.

use std::collections::HashMap;

use crate::{Fingerprint, Record};

/// What a relay knows of the rows that are not marked.
pub(super) enum Sent {
    /// Some of them may have been sent.
    Unknown,
    /// Those whose records are in the tail have been.
    In(Tail),
    /// None has been.
    None,
}

/// The latest records of the topics, as often as each is there.
pub(super) struct Tail {
    records: HashMap<(String, Fingerprint), usize>,
    until: i64,
}

impl Tail {
    /// Makes an empty one that tells of the rows up to the id `until`; later ones were pushed after the sending.
    pub(super) fn until(until: i64) -> Self {
        Self { records: HashMap::new(), until }
    }

    pub(super) fn add(&mut self, topic: &str, found: Vec<Fingerprint>) {
        for one in found {
            *self.records.entry((topic.to_owned(), one)).or_default() += 1;
        }
    }

    /// Tells whether it knows nothing of the row `id` and of later ones.
    pub(super) fn ends_before(&self, id: i64) -> bool {
        id > self.until
    }

    /// Tells whether the row's record is there, and takes it away: it stands for one row.
    pub(super) fn take(&mut self, record: &Record) -> bool {
        let count = self.records.get_mut(&(record.topic.clone(), Fingerprint::of(record)));
        count.filter(|count| **count > 0).map(|count| *count -= 1).is_some()
    }
}
