//! `sealpost sms listen`.

mod inbound;

use std::time::Duration;

use bus::{BusSettings, Delivered, ReadFrom, TopicReader, topics};
use clap::{ArgGroup, Args, Subcommand};
use serde_json::Value;

use super::channel::{Kafka, unreachable};
use super::http::{Gateway, Http};
use crate::console::{self, Outcome};

/// Between two tries while a broker is away.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(crate) struct Listen {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Requests to send SMS, still encrypted (topic send-sms)
    Requests(OnKafka),
    /// What became of them (topic sms-status); one client's also over HTTP
    Statuses(Statuses),
    /// Which message of the SMSC belongs to which request (topic correl-id)
    Correlations(OnKafka),
    /// What handsets sent (topic sms-inbound), decrypted
    Inbound(Inbound),
}

#[derive(Args)]
struct Extent {
    /// From the beginning, not only what is new
    #[arg(long, short)]
    all: bool,
    /// End after so many
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
    /// Another topic than the usual one
    #[arg(long, help_heading = "Kafka")]
    topic: Option<String>,
}

#[derive(Args)]
#[command(group(ArgGroup::new("way").args(["brokers"]).required(true)))]
struct OnKafka {
    #[command(flatten)]
    extent: Extent,
    #[command(flatten)]
    kafka: Kafka,
}

#[derive(Args)]
#[command(group(ArgGroup::new("way").args(["brokers", "server"]).required(true)))]
struct Statuses {
    #[command(flatten)]
    extent: Extent,
    #[command(flatten)]
    kafka: Kafka,
    #[command(flatten)]
    http: Http,
}

#[derive(Args)]
#[command(group(ArgGroup::new("way").args(["brokers"]).required(true)))]
struct Inbound {
    #[command(flatten)]
    keys: inbound::Keys,
    #[command(flatten)]
    extent: Extent,
    #[command(flatten)]
    kafka: Kafka,
}

impl Listen {
    pub(super) async fn run(self) -> Outcome {
        match self.what {
            What::Requests(of) => on_kafka(of.kafka.settings()?, topics::SEND_SMS, &of.extent, print).await,
            What::Correlations(of) => {
                on_kafka(of.kafka.settings()?, topics::CORREL_ID, &of.extent, print).await
            }
            What::Inbound(of) => {
                let mut reader = of.keys.read()?;
                let print = |record: &Delivered| reader.print(record);
                on_kafka(of.kafka.settings()?, topics::SMS_INBOUND, &of.extent, print).await
            }
            What::Statuses(of) => match of.http.gateway()? {
                Some(gateway) => over_http(&gateway, &of.extent).await,
                None => on_kafka(of.kafka.settings()?, topics::SMS_STATUS, &of.extent, print).await,
            },
        }
    }
}

/// Hands records to `print`, which tells whether one counts.
async fn on_kafka(
    settings: Option<BusSettings>,
    usual: &str,
    extent: &Extent,
    mut print: impl FnMut(&Delivered) -> Outcome<bool>,
) -> Outcome {
    let settings = settings.ok_or("give --brokers")?;
    let topic = extent.topic.as_deref().unwrap_or(usual);
    let from = if extent.all { ReadFrom::Oldest } else { ReadFrom::Newest };
    let mut reader =
        TopicReader::open(&settings, topic, from).await.map_err(|error| unreachable(&settings, &error))?;
    console::say(&format!("listening to {topic}"));
    let mut left = extent.count.unwrap_or(u64::MAX);
    while left > 0 {
        match reader.next().await {
            Ok(record) => left -= u64::from(print(&record)?),
            Err(error) => {
                console::say(&unreachable(&settings, &error));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    Ok(())
}

/// Prints a record as one line; tells whether it did.
fn print(record: &Delivered) -> Outcome<bool> {
    let value = record.bytes();
    // As it came where that fits a line: what a person debugs may be just the white space.
    let line = match serde_json::from_slice::<Value>(value) {
        Ok(_) if !value.contains(&b'\n') => String::from_utf8_lossy(value).into_owned(),
        Ok(json) => json.to_string(),
        Err(_) => {
            console::say(&format!("{}: not JSON", record.position));
            return Ok(false);
        }
    };
    console::print_line(&line)?;
    Ok(true)
}

async fn over_http(gateway: &Gateway, extent: &Extent) -> Outcome {
    let mut after = 0;
    if !extent.all {
        loop {
            let page = gateway.statuses(after, false).await?;
            after = page.next;
            if page.statuses.is_empty() {
                break;
            }
        }
    }
    console::say("listening to the gateway");
    let mut left = extent.count.unwrap_or(u64::MAX);
    loop {
        let page = gateway.statuses(after, true).await?;
        for status in &page.statuses {
            if left == 0 {
                return Ok(());
            }
            console::print_line(&status.to_string())?;
            left -= 1;
        }
        if left == 0 {
            return Ok(());
        }
        after = page.next;
    }
}
