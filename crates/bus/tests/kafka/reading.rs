//! The reader without a group, for people who watch.

use bus::{BusError, ReadFrom, Record, TopicReader};
use testkit::kafka::{bootstrap, create_topic, unique};

use crate::{PATIENCE, open, settings};

async fn read(reader: &mut TopicReader, count: usize) -> Vec<String> {
    let mut values = Vec::new();
    while values.len() < count {
        let record = tokio::time::timeout(PATIENCE, reader.next()).await.expect("a record in time");
        let record = record.expect("a record");
        values.push(String::from_utf8_lossy(record.bytes()).into_owned());
    }
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_begins_at_the_oldest_record_or_behind_the_newest() {
    let (brokers, topic) = (bootstrap().await, unique("read"));
    create_topic(brokers, &topic, 4).await.unwrap();
    let producer = open(brokers).producer();
    producer.send(vec![Record::new(&topic, "k", "old"), Record::new(&topic, "k", "older")]).await.unwrap();

    let mut all = TopicReader::open(&settings(brokers), &topic, ReadFrom::Oldest).await.unwrap();
    let mut new = TopicReader::open(&settings(brokers), &topic, ReadFrom::Newest).await.unwrap();
    producer
        .send(vec![Record::new(&topic, "k", "new"), Record::new(&topic, "other key", "new")])
        .await
        .unwrap();

    assert_eq!(read(&mut new, 2).await, ["new", "new"]);
    // The partition of the other key may be read before that of the older records.
    let mut all = read(&mut all, 4).await;
    all.retain(|value| value != "new");
    assert_eq!(all, ["old", "older"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_does_not_exist_is_refused() {
    let (brokers, topic) = (bootstrap().await, unique("none"));

    let refused = TopicReader::open(&settings(brokers), &topic, ReadFrom::Oldest).await.unwrap_err();

    assert!(matches!(&refused, BusError::Settings(_)) && refused.to_string().contains(&topic), "{refused}");
}
