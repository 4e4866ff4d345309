//! The connection to RabbitMQ: towards modems, and towards a publisher that reads a queue.
//!
//! One task owns the connection. It makes a new one for as long as it takes, and declares what the settings and the tables
//! say should be there. In: messages with exchange and key. Out: a confirmation of the broker,
//! or an error; nothing in between. What must hold: what is confirmed is in a queue, on the broker's disk.

mod link;
mod topology;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use bus::AmqpServer;
use common::models::GatewayClientId;
use common::models::gateway::OperatorKey;
use db::{Db, DbError};
use lapin::BasicProperties;
use lapin::uri::AMQPUri;
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::link::Link;
use crate::metrics::Metrics;
use crate::settings::RelaySettings;

const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LAST_BACKOFF: Duration = Duration::from_secs(5);

/// How often it is looked whether the connection is still there, beside what publishing finds out.
const WATCH_EVERY: Duration = Duration::from_millis(200);

/// Why a message is in no queue, or nobody knows whether it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokerError {
    /// There is no connection at present.
    #[error("RabbitMQ cannot be reached")]
    Away,
    /// No queue is bound to the key. The message came back.
    #[error("no queue takes this message")]
    Unroutable,
    /// The broker could not store it.
    #[error("RabbitMQ did not take the message")]
    Refused,
    /// No confirmation in time.
    #[error("RabbitMQ did not confirm in time")]
    Unconfirmed,
    /// The connection failed, perhaps after the message was stored.
    #[error("RabbitMQ: {0}")]
    Lost(#[from] lapin::Error),
    /// The tables that say what to declare cannot be read.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Whose credentials the connection has, and where.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) username: String,
    pub(crate) password: common::crypto::Secret<String>,
    pub(crate) vhost: String,
}

/// The connection of this process. Clones share it.
#[derive(Clone)]
pub(crate) struct Broker(Arc<Inner>);

struct Inner {
    server: AmqpServer,
    link: watch::Sender<Option<Arc<Link>>>,
    db: Db,
    settings: Arc<RelaySettings>,
    metrics: Metrics,
    /// Told whenever there is a connection again.
    wake: Arc<Notify>,
    /// Held by who waits for the turn to take queues down, or has it: it is that of a connection.
    retiring: Mutex<()>,
}

/// What the connection is made with.
pub(crate) struct Means {
    pub(crate) db: Db,
    pub(crate) settings: Arc<RelaySettings>,
    pub(crate) metrics: Metrics,
    pub(crate) wake: Arc<Notify>,
}

impl Broker {
    /// Makes the handle; [`Broker::run`] connects.
    pub(crate) fn new(server: AmqpServer, means: Means) -> Self {
        let Means { db, settings, metrics, wake } = means;
        metrics.set_broker_connected(false);
        let (link, retiring) = (watch::Sender::new(None), Mutex::new(()));
        Self(Arc::new(Inner { server, link, db, settings, metrics, wake, retiring }))
    }

    /// Whose connection it is.
    pub(crate) fn identity(&self) -> Identity {
        let AMQPUri { authority, vhost, .. } = self.0.server.uri();
        Identity {
            username: authority.userinfo.username.clone(),
            password: authority.userinfo.password.clone().into(),
            vhost: vhost.clone(),
        }
    }

    /// Connects, and again whenever the connection is lost, until `cancel`.
    pub(crate) async fn run(self, cancel: CancellationToken) {
        let mut backoff = FIRST_BACKOFF;
        loop {
            let lost = tokio::select! {
                () = cancel.cancelled() => return,
                lost = self.connect() => lost,
            };
            match lost {
                Ok(()) => {
                    tracing::warn!("the connection to RabbitMQ is lost; making a new one");
                    backoff = FIRST_BACKOFF;
                }
                Err(error) => {
                    tracing::warn!(%error, retry_ms = backoff.as_millis(), "RabbitMQ cannot be used at present");
                }
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = sleep(backoff) => backoff = (backoff * 2).min(LAST_BACKOFF),
            }
        }
    }

    /// Makes a connection, declares what should be there, and offers it until it is lost.
    async fn connect(&self) -> Result<(), BrokerError> {
        let inner = &*self.0;
        let link = Arc::new(Link::open(&inner.server, inner.settings.confirm_timeout).await?);
        topology::declare_shared(&link, &inner.settings).await?;
        tracing::info!("connected to RabbitMQ");
        inner.metrics.set_broker_connected(true);
        inner.link.send_replace(Some(Arc::clone(&link)));
        inner.wake.notify_one();
        let lost = async {
            while link.is_open() {
                sleep(WATCH_EVERY).await;
            }
        };
        // Nobody waits for the queues of thousands of clients: an SMS that comes back has its queue declared at once.
        let declaring = async {
            if let Err(error) = topology::declare_clients(&link, &inner.db, &inner.settings).await {
                tracing::warn!(%error, "not all queues of gateway clients could be declared");
            } else if let Err(error) = self.retire().await {
                tracing::warn!(%error, "not all queues of revoked gateway clients could be taken down");
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = lost => {}
            () = declaring => {}
        }
        inner.link.send_replace(None);
        inner.metrics.set_broker_connected(false);
        Ok(())
    }

    fn link(&self) -> Result<Arc<Link>, BrokerError> {
        self.0.link.borrow().clone().filter(|link| link.is_open()).ok_or(BrokerError::Away)
    }

    /// Waits until there is a connection.
    pub(crate) async fn connected(&self) {
        let mut link = self.0.link.subscribe();
        // The sender is here, so this ends with a connection.
        let _ = link.wait_for(|link| link.as_ref().is_some_and(|link| link.is_open())).await;
    }

    /// Publishes a message, which is on the broker's disk and in a queue when this returns.
    ///
    /// # Errors
    /// [`BrokerError::Unroutable`] when no queue took it; the others when it may be published again.
    pub(crate) async fn publish(
        &self,
        exchange: &str,
        key: &str,
        properties: BasicProperties,
        body: &[u8],
    ) -> Result<(), BrokerError> {
        self.link()?.publish(exchange, key, properties, body).await
    }

    /// Declares again what does not depend on any client: somebody may have removed the publisher's queue.
    ///
    /// # Errors
    /// Those of the broker.
    pub(crate) async fn declare_shared(&self) -> Result<(), BrokerError> {
        topology::declare_shared(&*self.link()?, &self.0.settings).await
    }

    /// Declares the queues of a client.
    ///
    /// # Errors
    /// Those of the broker.
    pub(crate) async fn declare(
        &self,
        client: GatewayClientId,
        operators: &[OperatorKey],
    ) -> Result<(), BrokerError> {
        topology::declare_client(&*self.link()?, client, operators, &self.0.settings).await
    }

    /// Takes down the queues of revoked clients; what waits there goes to the dead letters. Where somebody else is at it for
    /// longer than one waits for the broker, the next sweep does.
    ///
    /// # Errors
    /// Those of the broker and of the database.
    pub(crate) async fn retire(&self) -> Result<(), BrokerError> {
        let patience = self.0.settings.confirm_timeout;
        let Ok(_alone) = timeout(patience, self.0.retiring.lock()).await else { return Ok(()) };
        topology::retire_revoked(&*self.link()?, &self.0.db, patience).await
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").finish_non_exhaustive()
    }
}
