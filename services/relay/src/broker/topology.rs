//! What is declared at the broker: exchanges, queues, dead letters. All of it is durable, and declared by relay alone, so
//! that neither a modem nor the publisher needs the right to.
//!
//! Queues are quorum queues with a delivery limit: a message that its consumer gives back too often goes to the dead
//! letters, at least once. A queue that is there already, declared otherwise (by somebody else, or under another limit), is
//! taken as it is: only whoever knows what is in it can make it anew.

use std::time::{Duration, Instant};

use common::models::gateway::{MODEM_EXCHANGE, OperatorKey, modem_key, modem_queue};
use common::models::{GatewayClientId, UnixMillis};
use db::Db;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, ExchangeKind};

use super::BrokerError;
use super::link::Link;
use super::turn::Turn;
use crate::settings::RelaySettings;
use crate::store::clients;

/// Where SMS go that no modem could send, or whose client was revoked; the queue is called the same.
const MODEM_DEAD: &str = "DEKU_CLUSTER_SMS_DEAD";

/// Clients that are read at once.
const PAGE: i64 = 500;

/// Declares what does not depend on any client.
pub(super) async fn declare_shared(link: &Link, settings: &RelaySettings) -> Result<(), BrokerError> {
    let mut declaring = Declaring::begin(link, settings).await?;
    exchange(&declaring.channel, MODEM_EXCHANGE, ExchangeKind::Topic).await?;
    dead_letters(&declaring.channel, MODEM_DEAD).await?;
    if settings.publishes_by_amqp() {
        let (exchange_name, queue) = (&settings.publisher_exchange, &settings.publisher_queue);
        let dead = format!("{queue}-dead");
        exchange(&declaring.channel, exchange_name, ExchangeKind::Topic).await?;
        dead_letters(&declaring.channel, &dead).await?;
        declaring.queue(queue, &dead).await?;
        bind(&declaring.channel, queue, exchange_name, &settings.publisher_routing_key).await?;
    }
    close(&declaring.channel).await;
    Ok(())
}

/// Declares the queues of all clients.
pub(super) async fn declare_clients(
    link: &Link,
    db: &Db,
    settings: &RelaySettings,
) -> Result<(), BrokerError> {
    let mut declaring = Declaring::begin(link, settings).await?;
    let mut after = None;
    loop {
        let page = db
            .read(move |conn| {
                let page = clients::page(conn, after, PAGE)?;
                let ids: Vec<GatewayClientId> = page.iter().map(|row| row.client_id).collect();
                Ok::<_, db::DbError>((ids.last().copied(), clients::operators(conn, &ids)?))
            })
            .await?;
        let (Some(last), operators) = page else { break };
        after = Some(last);
        for (client, operator) in operators {
            declaring.modem(client, &operator).await?;
        }
    }
    close(&declaring.channel).await;
    Ok(())
}

/// Declares the queues of a client.
pub(super) async fn declare_client(
    link: &Link,
    client: GatewayClientId,
    operators: &[OperatorKey],
    settings: &RelaySettings,
) -> Result<(), BrokerError> {
    let mut declaring = Declaring::begin(link, settings).await?;
    for operator in operators {
        declaring.modem(client, operator).await?;
    }
    close(&declaring.channel).await;
    Ok(())
}

/// Declares queues, one after the other. A refusal ends its channel, so the channel may be another one afterwards.
struct Declaring<'a> {
    link: &'a Link,
    settings: &'a RelaySettings,
    channel: Channel,
}

impl<'a> Declaring<'a> {
    async fn begin(link: &'a Link, settings: &'a RelaySettings) -> Result<Self, BrokerError> {
        Ok(Self { link, settings, channel: link.channel().await? })
    }

    /// Declares one of a client's queues.
    async fn modem(&mut self, client: GatewayClientId, operator: &OperatorKey) -> Result<(), BrokerError> {
        let queue = modem_queue(client, operator);
        self.queue(&queue, MODEM_DEAD).await?;
        bind(&self.channel, &queue, MODEM_EXCHANGE, &modem_key(client, operator)).await
    }

    /// Declares a queue unless there is one of this name.
    async fn queue(&mut self, queue: &str, dead: &str) -> Result<(), BrokerError> {
        let arguments = quorum(self.settings.delivery_limit, dead);
        let Err(refused) = self.channel.queue_declare(queue.into(), durable(), arguments).await else {
            return Ok(());
        };
        self.channel = self.link.channel().await?;
        let passive = QueueDeclareOptions { passive: true, ..durable() };
        if self.channel.queue_declare(queue.into(), passive, FieldTable::default()).await.is_err() {
            return Err(refused.into());
        }
        tracing::warn!(%queue, "a queue is there already, declared otherwise: perhaps without dead letters, or with another limit");
        Ok(())
    }
}

/// Takes down the queues of revoked clients. What waits in one goes to the dead letters: the client may still be connected,
/// and is to read no more. A queue with a consumer stays until that is gone: it may give back what it has not acknowledged.
pub(super) async fn retire_revoked(link: &Link, db: &Db, patience: Duration) -> Result<(), BrokerError> {
    let revoked = db
        .read(|conn| {
            let ids = clients::revoked(conn, UnixMillis(i64::MAX), PAGE)?;
            let operators = clients::operators(conn, &ids)?;
            Ok::<_, db::DbError>((ids, operators))
        })
        .await?;
    if revoked.0.is_empty() {
        return Ok(());
    }
    let Some(turn) = Turn::wait(link, patience).await? else { return Ok(()) };
    let retired = retire_all(link, db, revoked).await;
    turn.end().await;
    retired
}

async fn retire_all(
    link: &Link,
    db: &Db,
    (ids, operators): (Vec<GatewayClientId>, Vec<(GatewayClientId, OperatorKey)>),
) -> Result<(), BrokerError> {
    for client in ids {
        let mut left = 0;
        for (_, operator) in operators.iter().filter(|(owner, _)| *owner == client) {
            left += u32::from(!retire(link, client, operator).await?);
        }
        if left > 0 {
            tracing::warn!(client.id = %client, queues = left, "queues of a revoked gateway client stay: it is still connected to them, or the broker has not counted what they hold");
        } else {
            db.write(move |conn| clients::forget(conn, client)).await?;
        }
    }
    Ok(())
}

/// RabbitMQ says that a quorum queue is empty and has no consumers when it has not heard from it for so long, or when its
/// leader has just gone (`rabbit_quorum_queue:stat` of 3.10). So an answer that took this time says nothing, and a quick one
/// has to be given twice, with this pause between: longer than another leader takes to be found.
const UNHEARD: Duration = Duration::from_millis(250);
const PAUSE: Duration = Duration::from_secs(1);

/// Takes one queue down; tells whether it is gone.
async fn retire(link: &Link, client: GatewayClientId, operator: &OperatorKey) -> Result<bool, BrokerError> {
    let (queue, key) = (modem_queue(client, operator), modem_key(client, operator));
    let channel = link.channel().await?;
    let passive = QueueDeclareOptions { passive: true, ..durable() };
    if channel.queue_declare(queue.as_str().into(), passive, FieldTable::default()).await.is_err() {
        // A queue that is not there ends the channel; a connection that is not there shows at the next one.
        return Ok(link.is_open());
    }
    let (exchange, arguments) = (MODEM_EXCHANGE.into(), FieldTable::default());
    channel.queue_unbind(queue.as_str().into(), exchange, key.as_str().into(), arguments).await?;
    // Behind the binding's end, so that nothing can have come since.
    let mut unused = empty(link, &channel, &queue, &key).await?;
    if unused {
        tokio::time::sleep(PAUSE).await;
        unused = empty(link, &channel, &queue, &key).await?;
    }
    if unused {
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
    }
    close(&channel).await;
    Ok(unused)
}

/// Moves what waits in a queue to the dead letters; tells whether there is nothing else in it, and nobody at it.
async fn empty(link: &Link, channel: &Channel, queue: &str, key: &str) -> Result<bool, BrokerError> {
    while let Some(message) = channel.basic_get(queue.into(), BasicGetOptions { no_ack: false }).await? {
        // Not rejected: a queue that is deleted before its dead letters are confirmed takes them with it.
        link.publish(MODEM_DEAD, key, message.properties.clone(), &message.data).await?;
        message.ack(BasicAckOptions::default()).await?;
    }
    let asked = Instant::now();
    let passive = QueueDeclareOptions { passive: true, ..durable() };
    let there = channel.queue_declare(queue.into(), passive, FieldTable::default()).await?;
    let counted = asked.elapsed() < UNHEARD;
    Ok(counted && there.message_count() == 0 && there.consumer_count() == 0)
}

/// An exchange for dead letters, and the queue that keeps them.
async fn dead_letters(channel: &Channel, name: &str) -> Result<(), BrokerError> {
    exchange(channel, name, ExchangeKind::Fanout).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    channel.queue_declare(name.into(), durable(), arguments).await?;
    bind(channel, name, name, "").await
}

async fn exchange(channel: &Channel, name: &str, kind: ExchangeKind) -> Result<(), BrokerError> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    Ok(channel.exchange_declare(name.into(), kind, options, FieldTable::default()).await?)
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> Result<(), BrokerError> {
    let options = QueueBindOptions::default();
    Ok(channel.queue_bind(queue.into(), exchange.into(), key.into(), options, FieldTable::default()).await?)
}

/// Gives a channel back. One that is gone already is as good.
pub(super) async fn close(channel: &Channel) {
    let _ = channel.close(200, "done".into()).await;
}

fn durable() -> QueueDeclareOptions {
    QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() }
}

fn quorum(delivery_limit: u32, dead: &str) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(delivery_limit.into()));
    arguments.insert("x-dead-letter-exchange".into(), text(dead));
    // Dead letters are confirmed like everything else; the broker wants this overflow with it, and there is no limit.
    arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
    arguments.insert("x-overflow".into(), text("reject-publish"));
    arguments
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}
