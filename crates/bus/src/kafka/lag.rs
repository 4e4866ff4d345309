//! Reads how far a group is behind, as an onlooker that does not join it.

use std::collections::HashMap;

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaResult,
};

use super::{
    ANSWER_WITHIN,
    onlooker::{self, OnLooker},
};
use crate::PartitionLag;

/// Reads the lag of the client's group. However many partitions there are, it takes four questions.
pub(super) fn read(client: &BaseConsumer<OnLooker>, topic: &str) -> KafkaResult<Vec<PartitionLag>> {
    let asked = onlooker::partitions(client, topic)?;
    if asked.count() == 0 {
        return Ok(Vec::new());
    }
    let starts = edges(client, &asked, Offset::Beginning)?;
    let committed = client.committed_offsets(asked.clone(), ANSWER_WITHIN)?;
    // Last, so that no commit is ahead of its end.
    let ends = edges(client, &asked, Offset::End)?;
    let mut lags = Vec::with_capacity(committed.count());
    for entry in committed.elements() {
        entry.error()?;
        let partition = entry.partition();
        let edge = |edges: &HashMap<i32, i64>| edges.get(&partition).copied().unwrap_or_default();
        let (start, end) = (edge(&starts), edge(&ends));
        let committed = match entry.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        let next = committed.unwrap_or(start).max(start);
        lags.push(PartitionLag { partition, committed, end, lag: (end - next).max(0) });
    }
    lags.sort_by_key(|lag| lag.partition);
    Ok(lags)
}

/// The first or the next offset of all partitions, in one question to each of their leaders.
fn edges(
    client: &BaseConsumer<OnLooker>,
    partitions: &TopicPartitionList,
    edge: Offset,
) -> KafkaResult<HashMap<i32, i64>> {
    let mut asked = partitions.clone();
    asked.set_all_offsets(edge)?;
    let mut edges = HashMap::new();
    for entry in client.offsets_for_times(asked, ANSWER_WITHIN)?.elements() {
        entry.error()?;
        if let Offset::Offset(offset) = entry.offset() {
            edges.insert(entry.partition(), offset);
        }
    }
    Ok(edges)
}
