//! A publisher that reads its queue.

use lapin::options::{BasicGetOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};
use serde_json::Value;
use testkit::wait::wait_for;

const QUEUE: &str = "default-smswithoutborders-queue";

pub(crate) struct Publisher {
    channel: Channel,
    _connection: Connection,
}

impl Publisher {
    /// Connects, and waits until relay has declared the queue.
    pub(crate) async fn connect(url: &str) -> Self {
        let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let there = || async {
            // A queue that is not there ends the channel.
            let channel = connection.create_channel().await.unwrap();
            let queue = channel.queue_declare(QUEUE.into(), passive, FieldTable::default()).await;
            queue.is_ok().then_some(channel)
        };
        Self { channel: wait_for("the publisher's queue", there).await, _connection: connection }
    }

    /// Takes the next message.
    pub(crate) async fn takes(&self) -> Value {
        let once = BasicGetOptions { no_ack: true };
        let take = || async { self.channel.basic_get(QUEUE.into(), once).await.unwrap() };
        serde_json::from_slice(&wait_for("a message for the publisher", take).await.data).unwrap()
    }
}
