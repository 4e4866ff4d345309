//! `sealpost sms send`.

mod csv;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgGroup, Args};
use common::crypto::sms_envelope::{Binding, KeyKind, SealingKey, encode_payload, seal};
use common::crypto::sms_payload::SmsPayload;
use common::crypto::token::random;
use common::models::sms::{SmsClass, SmsRequest};
use common::models::{Clock as _, E164, SystemClock};
use futures_util::{StreamExt as _, stream};
use zeroize::Zeroizing;

use super::channel::{Kafka, Topic};
use super::deadline;
use super::envelope::public_key;
use super::http::{Gateway, Http};
use crate::console::{self, Outcome};

/// Requests that are encrypted and submitted together.
const CHUNK: usize = 500;
/// HTTP calls at a time.
const CALLS: usize = 16;

#[derive(Args)]
#[command(
    group(ArgGroup::new("way").args(["brokers", "server", "dry_run"]).required(true).multiple(true)),
    group(ArgGroup::new("channel").args(["brokers", "server"])),
    group(ArgGroup::new("recipients").args(["to", "to_file", "csv"]).required(true).multiple(true))
)]
pub(crate) struct Send {
    /// Text of the SMS; without it stdin, less its last line end
    text: Option<String>,
    /// The client id
    #[arg(long)]
    client: String,
    /// File with the client's public key: base64 of its DER form, DER, or PEM. RSA: version 1; X25519: version 2
    #[arg(long, value_name = "PUBFILE")]
    key: PathBuf,
    /// Recipient: + and 7 to 15 digits; may be repeated
    #[arg(long, value_name = "NUMBER")]
    to: Vec<E164>,
    /// File with recipients, one a line; empty lines and those that begin with # do not count
    #[arg(long, value_name = "FILE")]
    to_file: Option<PathBuf>,
    /// Sender id: a number, a short code, or up to 11 letters and digits
    #[arg(long)]
    sender: Option<String>,
    /// Your id of the request, which its statuses carry; with several recipients ID-1, ID-2, ... [default: random]
    #[arg(long, value_name = "ID")]
    correl_id: Option<String>,
    /// When it is too late to send [default: in version 1 2100-01-01T00:00:00Z; in version 2, which gateways take for
    /// some time only, in a day]
    #[arg(long, value_name = "INSTANT", value_parser = deadline)]
    deadline: Option<String>,
    /// How long from now it is not too late, such as 2h
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration, conflicts_with = "deadline")]
    valid_for: Option<Duration>,
    /// What to do when an outcome stays unknown: bulk (nothing; the default), otp or alert (send once more)
    #[arg(long, value_parser = class)]
    class: Option<SmsClass>,
    /// Print the requests as JSON, and send nothing; of a file of rows, how much it is and its longest texts
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Topic of requests
    #[arg(long, default_value = bus::topics::SEND_SMS, help_heading = "Kafka")]
    topic: String,
    /// Topic of statuses, which are waited for with --csv
    #[arg(long, value_name = "TOPIC", default_value = bus::topics::SMS_STATUS, help_heading = "Kafka", requires = "csv")]
    status_topic: String,
    #[command(flatten)]
    kafka: Kafka,
    #[command(flatten)]
    http: Http,
    #[command(flatten)]
    rows: csv::Options,
}

pub(super) fn class(word: &str) -> Result<SmsClass, String> {
    word.parse().map_err(|_| "one of bulk, otp, alert is expected".to_owned())
}

/// The deadline of requests for which none is given, but perhaps how far away it is.
fn usual_deadline(kind: KeyKind, valid_for: Option<Duration>) -> String {
    const DAY: Duration = Duration::from_secs(86_400);
    match (valid_for, kind) {
        (None, KeyKind::Rsa) => "2100-01-01T00:00:00Z".to_owned(),
        (valid_for, _) => (SystemClock.now() + valid_for.unwrap_or(DAY)).to_rfc3339_seconds(),
    }
}

/// Where the requests go.
enum Channel {
    Nowhere,
    Kafka(Topic),
    Http(Gateway),
}

impl Send {
    pub(super) async fn run(self) -> Outcome {
        if let Some(file) = &self.rows.csv {
            return self.run_rows(file).await;
        }
        let key = public_key(&self.key)?;
        let mut recipients = self.to.clone();
        if let Some(file) = &self.to_file {
            recipients.extend(numbers(file)?);
        }
        let text = match &self.text {
            Some(text) => Zeroizing::new(text.clone()),
            None => console::stdin_text()?,
        };
        let deadline = self.deadline(key.kind());
        let ids = Ids::new(self.correl_id.clone(), recipients.len())?;
        let channel = self.channel().await?;

        let bar = console::progress(recipients.len(), "sending");
        for (chunk, first) in recipients.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
            let mut requests = Vec::with_capacity(chunk.len());
            for (recipient, index) in chunk.iter().zip(first..) {
                requests.push(self.request(&key, &deadline, (recipient, &text), ids.get(index))?);
            }
            let accepted = |index: usize| {
                bar.inc(1);
                bar.suspend(|| accepted(&channel, &requests[index], &chunk[index]))
            };
            submit(&channel, &requests, accepted).await.map_err(|error| match recipients.len() {
                1 => error,
                all => format!("{} of {all} were accepted, then: {error}", bar.position()).into(),
            })?;
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn deadline(&self, kind: KeyKind) -> String {
        self.deadline.clone().unwrap_or_else(|| usual_deadline(kind, self.valid_for))
    }

    async fn channel(&self) -> Outcome<Channel> {
        if self.dry_run {
            return Ok(Channel::Nowhere);
        }
        if let Some(settings) = self.kafka.settings()? {
            return Ok(Channel::Kafka(Topic::open(&settings, &self.topic).await?));
        }
        let gateway = self.http.gateway()?;
        Ok(Channel::Http(gateway.ok_or("give --brokers, or --server and --api-key-file")?))
    }

    fn request(
        &self,
        key: &SealingKey,
        deadline: &str,
        (recipient, text): (&E164, &str),
        correl_id: String,
    ) -> Outcome<SmsRequest> {
        let message = SmsPayload::new(recipient.as_str(), self.sender.as_deref(), text)?.to_octets();
        let binding = Binding { client_id: &self.client, correl_id: &correl_id, deadline };
        let payload = encode_payload(&seal(key, &binding, &message)?);
        Ok(SmsRequest {
            client_id: self.client.as_str().into(),
            correl_id: correl_id.into(),
            deadline: Some(deadline.to_owned()),
            payload: Some(payload),
            class: self.class.map(|class| class.as_str().to_owned()),
        })
    }
}

/// Submits requests; `accepted` hears of each that is safe, in order.
async fn submit(
    channel: &Channel,
    requests: &[SmsRequest],
    mut accepted: impl FnMut(usize) -> Outcome,
) -> Outcome {
    match channel {
        Channel::Nowhere => {}
        Channel::Kafka(topic) => {
            let record = |request: &SmsRequest| {
                let key = format!("{}:{}", request.client_id, request.correl_id);
                Ok((key, serde_json::to_vec(request)?))
            };
            topic.produce(requests.iter().map(record).collect::<Outcome<_>>()?).await?;
        }
        Channel::Http(gateway) => {
            let mut calls = stream::iter(requests).map(|request| gateway.submit(request)).buffered(CALLS);
            for index in 0..requests.len() {
                calls.next().await.transpose()?;
                accepted(index)?;
            }
            return Ok(());
        }
    }
    (0..requests.len()).try_for_each(accepted)
}

/// Prints the line of one request. The number is masked: lines like these end up in logs.
fn accepted(channel: &Channel, request: &SmsRequest, recipient: &E164) -> Outcome {
    match channel {
        Channel::Nowhere => console::print_line(&serde_json::to_string(request)?),
        Channel::Kafka(_) | Channel::Http(_) => {
            console::print_line(&format!("{}\t{}", request.correl_id, recipient.masked()))
        }
    }
}

fn numbers(file: &Path) -> Outcome<Vec<E164>> {
    let bytes = console::read(file)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("{}: not UTF-8", file.display()))?;
    let mut numbers = Vec::new();
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        numbers.push(line.parse().map_err(|error| format!("{}:{number}: {error}", file.display()))?);
    }
    if numbers.is_empty() { Err(format!("{}: no numbers in it", file.display()).into()) } else { Ok(numbers) }
}

/// Gives out correlation ids.
struct Ids {
    prefix: String,
    numbered: bool,
}

impl Ids {
    fn new(given: Option<String>, count: usize) -> Outcome<Self> {
        let prefix = match given {
            Some(prefix) => prefix,
            None => format!("C{:016x}", u64::from_be_bytes(random::<8>()?)),
        };
        Ok(Self { prefix, numbered: count > 1 })
    }

    fn get(&self, index: usize) -> String {
        match self.numbered {
            true => format!("{}-{}", self.prefix, index + 1),
            false => self.prefix.clone(),
        }
    }
}
