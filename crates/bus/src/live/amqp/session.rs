//! One connection, from its opening to its loss.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionStatus, Consumer, ErrorKind, ExchangeKind,
    PublisherConfirm,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
        ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
    },
    types::{FieldTable, ShortString},
};
use telemetry::TraceContext;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use super::{Shared, frame::Frame};
use crate::live::{LiveEvent, Route};
use crate::{AmqpServer, trace_of, with_trace};

const EXCHANGE: &str = "sealpost.live";
const BROADCASTS: &str = "all";
/// Messages that the broker hands out ahead of our acks: what bounds the client's memory.
const PREFETCH: u16 = 1000;
const ACK_EVERY: u64 = 100;
/// Sent and not confirmed; more wait in the queue.
const UNCONFIRMED: usize = 1024;
/// How soon the others are told of a refusal; not at once, since the broker may refuse that as well.
const TELL_AFTER: Duration = Duration::from_secs(1);
/// How often it is looked whether the broker takes what is sent.
const LOOK: Duration = Duration::from_millis(500);

pub(super) struct Session {
    shared: Arc<Shared>,
    channel: Channel,
    queue: ShortString,
    bound: BTreeSet<u8>,
    deliveries: Consumer,
    unconfirmed: FuturesUnordered<PublisherConfirm>,
    /// Frames that were begun to be sent and are not confirmed, those whose confirm failed included.
    unsettled: usize,
    // Dropped last, which closes it.
    connection: Connection,
}

impl Session {
    /// Connects, declares and binds; subscribers are told that they may have missed something.
    pub(super) async fn open(server: &AmqpServer, shared: &Arc<Shared>) -> lapin::Result<Self> {
        let connection = server.connect("sealpost live events").await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let exchange = ExchangeDeclareOptions::default();
        channel
            .exchange_declare(EXCHANGE.into(), ExchangeKind::Topic, exchange, FieldTable::default())
            .await?;
        let own =
            QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare("".into(), own, FieldTable::default()).await?.name().clone();
        let deliveries = channel
            .basic_consume(queue.clone(), "".into(), BasicConsumeOptions::default(), FieldTable::default())
            .await?;
        let mut session = Self {
            shared: shared.clone(),
            channel,
            queue,
            bound: BTreeSet::new(),
            deliveries,
            unconfirmed: FuturesUnordered::new(),
            unsettled: 0,
            connection,
        };
        session.bind(BROADCASTS.into()).await?;
        session.shared.hub.lagged(Route::All);
        session.rebind().await?;
        session.shared.connected.store(true, Ordering::Release);
        Ok(session)
    }

    /// Carries frames both ways until the connection is lost. A broker that takes nothing at present counts as away.
    pub(super) async fn run(
        &mut self,
        frames: &mut mpsc::Receiver<Frame>,
    ) -> Result<Infallible, lapin::Error> {
        let watching = watch(self.connection.status().clone(), self.shared.clone());
        tokio::select! {
            lost = self.carry(frames) => lost,
            never = watching => match never {},
        }
    }

    async fn carry(&mut self, frames: &mut mpsc::Receiver<Frame>) -> Result<Infallible, lapin::Error> {
        let mut received: u64 = 0;
        let mut tell = interval(TELL_AFTER);
        tell.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                delivery = self.deliveries.next() => {
                    let delivery = delivery.ok_or(ErrorKind::InvalidChannel(self.channel.id()))??;
                    self.receive(delivery.data.into(), trace_of(&delivery.properties));
                    received += 1;
                    if received.is_multiple_of(ACK_EVERY) {
                        self.channel.basic_ack(delivery.delivery_tag, BasicAckOptions { multiple: true }).await?;
                    }
                }
                Some(frame) = frames.recv(), if self.unconfirmed.len() < UNCONFIRMED => {
                    if let Frame::Event(_, event) = &frame {
                        self.shared.release(event.payload.len());
                    }
                    self.publish(&frame).await?;
                    if frames.is_empty() {
                        self.tell_gap().await?;
                    }
                }
                Some(confirmed) = self.unconfirmed.next() => {
                    if let Confirmation::Nack(_) = confirmed? {
                        self.shared.gap.store(true, Ordering::Release);
                    }
                    self.unsettled -= 1;
                    self.shared.answered(self.unsettled > 0);
                }
                _ = tell.tick() => self.tell_gap().await?,
                () = self.shared.interest.notified() => self.rebind().await?,
            }
        }
    }

    /// Whether there are frames of which nobody knows whether they arrived.
    pub(super) fn has_unsettled(&self) -> bool {
        self.unsettled > 0
    }

    fn receive(&self, body: bytes::Bytes, trace: Option<TraceContext>) {
        match Frame::decode(body) {
            Some((origin, _)) if origin == self.shared.origin => {}
            Some((_, Frame::Event(route, event))) => {
                if let Some(trace) = trace {
                    telemetry::follow!(
                        trace,
                        live.kind = event.kind,
                        "a live event has come from another pod"
                    );
                }
                self.shared.hub.deliver(route, LiveEvent { trace, ..event });
            }
            Some((_, Frame::Gap)) => {
                self.shared.hub.lagged(Route::All);
                for shard in self.shared.hub.shards_in_use() {
                    self.shared.hub.lagged(Route::Shard(shard));
                }
            }
            None => tracing::debug!("live events: a message that is not ours or of another version"),
        }
    }

    async fn publish(&mut self, frame: &Frame) -> lapin::Result<()> {
        let key = match frame {
            Frame::Event(Route::Shard(shard), _) => routing_key(*shard),
            Frame::Event(Route::All, _) | Frame::Gap => BROADCASTS.into(),
        };
        let trace = match frame {
            Frame::Event(_, event) => event.trace,
            Frame::Gap => None,
        };
        let (options, body) = (BasicPublishOptions::default(), frame.encode(&self.shared.origin));
        let properties = with_trace(BasicProperties::default(), trace);
        self.unsettled += 1;
        // Blocked by an alarm, the connection does not even take the frame.
        self.shared.ask();
        let sent = self.channel.basic_publish(EXCHANGE.into(), key, options, &body, properties);
        self.unconfirmed.push(sent.await?);
        Ok(())
    }

    /// Tells the other pods when something of ours may be missing.
    async fn tell_gap(&mut self) -> lapin::Result<()> {
        if self.shared.gap.swap(false, Ordering::AcqRel) {
            let dropped = self.shared.dropped.swap(0, Ordering::Relaxed);
            tracing::warn!(dropped, "live events: some were not sent; all subscribers are told to look anew");
            self.publish(&Frame::Gap).await?;
        }
        Ok(())
    }

    /// Makes the bindings those of the shards in use. Whoever subscribed in a shard before it was bound is told to
    /// look anew.
    async fn rebind(&mut self) -> lapin::Result<()> {
        let wanted: BTreeSet<u8> = self.shared.hub.shards_in_use().into_iter().collect();
        self.shared.ask();
        for shard in wanted.difference(&self.bound) {
            self.bind(routing_key(*shard)).await?;
            self.shared.hub.lagged(Route::Shard(*shard));
        }
        for shard in self.bound.difference(&wanted) {
            let (queue, key) = (self.queue.clone(), routing_key(*shard));
            self.channel.queue_unbind(queue, EXCHANGE.into(), key, FieldTable::default()).await?;
        }
        self.bound = wanted;
        self.shared.answered(self.unsettled > 0);
        Ok(())
    }

    async fn bind(&self, key: ShortString) -> lapin::Result<()> {
        let (queue, options) = (self.queue.clone(), QueueBindOptions::default());
        self.channel.queue_bind(queue, EXCHANGE.into(), key, options, FieldTable::default()).await
    }
}

/// Lets it be known whether events reach the other pods. Beside what carries them, which may be waiting for the broker:
/// one that is short of memory or disk takes nothing from whoever publishes, and does not say when it will.
async fn watch(status: ConnectionStatus, shared: Arc<Shared>) -> Infallible {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let reaches = !status.blocked() && !shared.is_stuck();
        if shared.connected.swap(reaches, Ordering::AcqRel) != reaches {
            tracing::warn!(reaches, "live events: whether the broker takes them has changed");
        }
    }
}

fn routing_key(shard: u8) -> ShortString {
    format!("shard.{shard}").into()
}
