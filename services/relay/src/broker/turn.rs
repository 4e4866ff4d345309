//! Whose turn it is to take queues down.
//!
//! Two instances at once would mix the order of what waits in a queue, and one could delete it while the other still has a
//! message of it in hand. An exclusive queue is the turn: it goes with its connection, and so does what that connection had
//! in hand.

use std::time::Duration;

use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::FieldTable;
use lapin::{Channel, ErrorKind};
use tokio::time::{Instant, sleep};

use super::BrokerError;
use super::link::Link;
use super::topology::close;

const QUEUE: &str = "sealpost-relay-retiring";

const ASK_EVERY: Duration = Duration::from_millis(100);

pub(super) struct Turn(Channel);

impl Turn {
    /// Waits for the turn; `None` when another instance has it for longer than `patience`.
    pub(super) async fn wait(link: &Link, patience: Duration) -> Result<Option<Self>, BrokerError> {
        let until = Instant::now() + patience;
        loop {
            let channel = link.channel().await?;
            let exclusive = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
            match channel.queue_declare(QUEUE.into(), exclusive, FieldTable::default()).await {
                Ok(_) => return Ok(Some(Self(channel))),
                Err(error) if !is_locked(&error) => return Err(error.into()),
                Err(_) if Instant::now() >= until => return Ok(None),
                Err(_) => sleep(ASK_EVERY).await,
            }
        }
    }

    /// Ends it. Where that fails it ends with the connection.
    pub(super) async fn end(self) {
        let _ = self.0.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await;
        close(&self.0).await;
    }
}

fn is_locked(error: &lapin::Error) -> bool {
    let locked = AMQPErrorKind::Soft(AMQPSoftError::RESOURCELOCKED);
    matches!(error.kind(), ErrorKind::ProtocolError(error) if *error.kind() == locked)
}
