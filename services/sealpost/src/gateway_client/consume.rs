//! Taking SMS out of a queue: one at a time, and given back to the broker only as done.

use std::num::NonZeroU64;
use std::path::PathBuf;

use bus::{AmqpServer, AmqpTlsSettings};
use clap::Args;
use common::models::gateway::{GatewayCredentials, ModemSms, OperatorKey, modem_queue};
use futures_util::StreamExt as _;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions};
use lapin::types::FieldTable;
use url::Url;

use super::credentials::File;
use crate::console::{self, Outcome};

/// Seconds; a broker that is gone without a word is noticed within twice this.
const HEARTBEAT: u16 = 30;

/// Which queue.
#[derive(Args)]
pub(crate) struct Consume {
    /// The RabbitMQ of the relay, with its virtual host; the client's own credentials are used
    #[arg(long, value_name = "URL", default_value = "amqp://127.0.0.1:5672/%2f")]
    amqp: Url,
    /// With amqps://, a file (PEM) with authorities to trust beside the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The operator whose SMS are taken
    #[arg(long, value_name = "NAME")]
    operator: OperatorKey,
    /// How many [default: until it is stopped]
    #[arg(long)]
    count: Option<NonZeroU64>,
    #[command(flatten)]
    file: File,
}

impl Consume {
    pub(super) async fn run(self) -> Outcome {
        let Self { mut amqp, ca_file, operator, count, file } = self;
        let GatewayCredentials { client_id, secret, .. } = file.read()?;
        let ours = amqp.set_username(client_id.as_str()).and_then(|()| amqp.set_password(Some(&secret)));
        if !matches!(amqp.scheme(), "amqp" | "amqps") || ours.is_err() {
            return Err("--amqp: a URL that begins with amqp:// or amqps:// is expected".into());
        }
        let tls = AmqpTlsSettings { ca_file, ..AmqpTlsSettings::default() };
        let server = AmqpServer::new(amqp.as_str(), &tls, HEARTBEAT)?;
        let connection = server.connect("sealpost gateway-client").await?;
        let channel = connection.create_channel().await?;
        // A modem sends one at a time: what waits behind it can go to another one.
        channel.basic_qos(1, BasicQosOptions::default()).await?;
        let (queue, options) = (modem_queue(client_id, &operator), BasicConsumeOptions::default());
        let mut deliveries =
            channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await?;
        let mut left = count.map_or(u64::MAX, NonZeroU64::get);
        while left > 0 {
            let delivery = deliveries.next().await.ok_or("the broker has ended the subscription")??;
            match serde_json::from_slice::<ModemSms>(&delivery.data) {
                Ok(sms) => {
                    console::print_line(&serde_json::to_string(&sms)?)?;
                    delivery.ack(BasicAckOptions::default()).await?;
                    left -= 1;
                }
                // It can never be sent: to the dead letters with it.
                Err(_) => {
                    console::say("a message that is no SMS was rejected");
                    delivery.reject(BasicRejectOptions { requeue: false }).await?;
                }
            }
        }
        connection.close(200, "done".into()).await?;
        Ok(())
    }
}
