//! One connection: a channel on which everything is confirmed, and short ones for what may be refused.

use std::time::Duration;

use bus::AmqpServer;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use tokio::time::timeout;

use super::BrokerError;

/// How the connection is called in the broker's lists.
const NAME: &str = "default-smswithoutborders-publisher";

pub(super) struct Link {
    connection: Connection,
    publishing: Channel,
    patience: Duration,
}

impl Link {
    pub(super) async fn open(server: &AmqpServer, patience: Duration) -> Result<Self, BrokerError> {
        let connect = async {
            let connection = server.connect(NAME).await?;
            let publishing = connection.create_channel().await?;
            publishing.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok(Self { connection, publishing, patience })
        };
        timeout(patience, connect).await.unwrap_or(Err(BrokerError::Away))
    }

    /// A channel of its own for declarations: one that is refused ends its channel.
    pub(super) async fn channel(&self) -> Result<Channel, BrokerError> {
        Ok(self.connection.create_channel().await?)
    }

    pub(super) fn is_open(&self) -> bool {
        self.connection.status().connected() && self.publishing.status().connected()
    }

    pub(super) async fn publish(
        &self,
        exchange: &str,
        key: &str,
        properties: BasicProperties,
        body: &[u8],
    ) -> Result<(), BrokerError> {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let publish = async {
            self.publishing.basic_publish(exchange.into(), key.into(), options, body, properties).await?.await
        };
        match timeout(self.patience, publish).await {
            Ok(Ok(Confirmation::Ack(None))) => Ok(()),
            Ok(Ok(Confirmation::Ack(Some(_)))) => Err(BrokerError::Unroutable),
            Ok(Ok(Confirmation::Nack(_) | Confirmation::NotRequested)) => Err(BrokerError::Refused),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(BrokerError::Unconfirmed),
        }
    }
}
