//! `sealpost sms respond`.

use bus::topics;
use clap::{ArgGroup, Args};
use common::models::sms::{SmsState, SmsStatus};
use common::models::{Clock as _, SystemClock};

use super::channel::{Kafka, Topic};
use crate::console::{self, Outcome};

#[derive(Args)]
#[command(group(ArgGroup::new("way").args(["brokers", "dry_run"]).required(true).multiple(true)))]
pub(crate) struct Respond {
    /// The client id of the request
    client: String,
    /// The correlation id of the request
    correl_id: String,
    /// SENT, DELIVERED, EXPIRED, INVALID or FAILED
    #[arg(value_parser = state)]
    status: SmsState,
    /// Error text
    text: Vec<String>,
    /// The SMSC's id of the message
    #[arg(long, value_name = "ID")]
    recall_id: Option<String>,
    /// Print the status, and publish nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Topic of statuses
    #[arg(long, default_value = topics::SMS_STATUS, help_heading = "Kafka")]
    topic: String,
    #[command(flatten)]
    kafka: Kafka,
}

fn state(word: &str) -> Result<SmsState, String> {
    word.to_uppercase()
        .parse()
        .map_err(|_| "one of SENT, DELIVERED, EXPIRED, INVALID, FAILED is expected".to_owned())
}

impl Respond {
    pub(super) async fn run(self) -> Outcome {
        let status = SmsStatus {
            client_id: self.client.as_str().into(),
            correl_id: self.correl_id.as_str().into(),
            timestamp: SystemClock.now(),
            sms_status: self.status,
            recall_id: self.recall_id.clone(),
            error_text: (!self.text.is_empty()).then(|| self.text.join(" ")),
            simulated: false,
            possible_duplicate: false,
        };
        let line = serde_json::to_string(&status)?;
        if !self.dry_run
            && let Some(settings) = self.kafka.settings()?
        {
            let topic = Topic::open(&settings, &self.topic).await?;
            topic.produce(vec![(status.key(), line.clone().into_bytes())]).await?;
        }
        console::print_line(&line)
    }
}
