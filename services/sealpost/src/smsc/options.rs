//! The options of `sealpost smsc`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use smpp::codec::CommandStatus;
use smpp::esme::Password;
use smpp::smsc::{
    Account, Behaviour, Binds, FinalState, IdChoice, IdFormat, ReceiptFormat, ReceiptShape, Receipts,
    SmscEvent, SmscSettings, Span, WrongIds,
};
use smpp::tls::ServerTlsSettings;

use super::values::{
    id_format, outcome, part, receipt_format, refusal, refused, shapes, span, time, wrong_id,
};
use crate::console::{self, Outcome};

const EXAMPLES: &str = "\
Each thing that happens is one line on stdout, never with a text and with numbers masked.

PART is a number from 0 (never) to 1 (always); TIME is 20ms or 2s, or a range such as 10ms..2s
where the option says so. The same --seed and the same order of submissions give the same run:
the same answers, ids, states and faults.

Examples:
  A friendly operator on port 2775, for whoever binds:
    sealpost smsc
  A slow one, that answers out of order and delivers nine of ten after a while:
    sealpost smsc --latency 20ms..400ms --receipt-delay 1s..5s --receipt-state DELIVRD=9 UNDELIV=1
  One that takes 50 messages a second, and has odd habits with ids and receipts:
    sealpost smsc --tps 50 --message-id hex --receipt-id padded --receipt-shape all --receipt-first 0.2
  A bad day, to be repeated with the same seed:
    sealpost smsc --seed 42 --drop 0.01 --lose 0.01 --receipt-twice 0.1 --die-after 1000 --revive-after 10s
  TLS with client certificates:
    sealpost smsc --tls-certificate smsc.pem --tls-key smsc.key --tls-client-ca ca.pem";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Simulator {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:2775")]
    listen: SocketAddr,
    /// Seed of everything random
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    binds: BindOptions,
    #[command(flatten)]
    tls: TlsOptions,
    #[command(flatten)]
    answers: AnswerOptions,
    #[command(flatten)]
    receipts: ReceiptOptions,
    #[command(flatten)]
    faults: FaultOptions,
}

#[derive(Args)]
#[command(next_help_heading = "Binds")]
struct BindOptions {
    /// The only ESME that may bind [default: all may]
    #[arg(long, value_name = "NAME", requires = "password_file")]
    system_id: Option<String>,
    /// File with its password
    #[arg(long, value_name = "FILE", requires = "system_id")]
    password_file: Option<PathBuf>,
    /// Most binds of one ESME at a time; one more is refused with RALYBND
    #[arg(long, value_name = "NUMBER")]
    max_binds: Option<usize>,
    /// Refuse all binds with a status such as RINVPASWD or RALYBND, for a time after the start if one is given
    #[arg(long, value_name = "STATUS[=TIME]", value_parser = refusal)]
    refuse_binds: Option<(CommandStatus, Option<Duration>)>,
}

#[derive(Args)]
#[command(next_help_heading = "TLS")]
struct TlsOptions {
    /// Speak TLS, with this certificate and its chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The certificate's key (PEM, not encrypted)
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Ask for a client certificate from one of these CAs (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_client_ca: Option<PathBuf>,
}

#[derive(Args)]
#[command(next_help_heading = "Answers")]
struct AnswerOptions {
    /// How long until a message is answered: 20ms, or from 10ms..2s
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = span)]
    latency: Span,
    /// Part of the answers that are held back, so that later ones overtake them
    #[arg(long, value_name = "PART", default_value_t = 0.0, value_parser = part)]
    reorder: f64,
    /// How message ids are written: decimal, hex, upper-hex or padded (to ten digits)
    #[arg(long, value_name = "FORM", default_value = "decimal", value_parser = id_format)]
    message_id: IdFormat,
    /// Most messages a second; more are refused as throttled
    #[arg(long, value_name = "NUMBER")]
    tps: Option<u32>,
    /// Part of the messages that are refused as throttled
    #[arg(long, value_name = "PART", default_value_t = 0.0, value_parser = part)]
    throttle: f64,
    /// Part of the messages that are refused for a full queue
    #[arg(long, value_name = "PART", default_value_t = 0.0, value_parser = part)]
    queue_full: f64,
    /// Part of the messages that are refused with a status: RINVDSTADR=0.02; several, for a mixture
    #[arg(long, value_name = "STATUS[=PART]", value_parser = refused, num_args = 1..)]
    refuse: Vec<(CommandStatus, f64)>,
}

#[derive(Args)]
#[command(next_help_heading = "Receipts")]
struct ReceiptOptions {
    /// Send none
    #[arg(long, conflicts_with_all = [
        "receipt_delay", "receipt_state", "receipt_format", "receipt_shape", "receipt_id", "receipt_first",
        "receipt_data_sm",
    ])]
    no_receipts: bool,
    /// How long until a message's receipt: 2s, or from 1s..1m
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = span)]
    receipt_delay: Span,
    /// What it says, such as DELIVRD or UNDELIV; repeated with weights for a mixture: DELIVRD=9 UNDELIV=1
    #[arg(long, value_name = "STATE[=WEIGHT]", default_value = "DELIVRD", value_parser = outcome, num_args = 1..)]
    receipt_state: Vec<(u32, FinalState)>,
    /// Where it says so: text, tlv or both
    #[arg(long, value_name = "FORM", default_value = "both", value_parser = receipt_format)]
    receipt_format: ReceiptFormat,
    /// Shape of the text: standard, seconds, century, bare, no-counts, upper, reordered, underscores, blanks, commas,
    /// lines, words, vendor, payload; several, or all, for a mixture
    #[arg(long, value_name = "SHAPE", default_value = "standard", value_parser = shapes, num_args = 1..)]
    receipt_shape: Vec<Vec<ReceiptShape>>,
    /// How ids are written in it [default: as in answers]
    #[arg(long, value_name = "FORM", value_parser = id_format)]
    receipt_id: Option<IdFormat>,
    /// Part of the receipts that come before the answer to their message
    #[arg(long, value_name = "PART", default_value_t = 0.0, value_parser = part)]
    receipt_first: f64,
    /// Part of the receipts that come as data_sm
    #[arg(long, value_name = "PART", default_value_t = 0.0, value_parser = part)]
    receipt_data_sm: f64,
}

#[derive(Args)]
#[command(next_help_heading = "Faults")]
struct FaultOptions {
    /// Part of the messages that are accepted without an answer
    #[arg(long, value_name = "PART", default_value_t = 0.0, value_parser = part)]
    drop: f64,
    /// Part of the messages that are neither accepted nor answered
    #[arg(long, value_name = "PART", default_value_t = 0.0, value_parser = part)]
    lose: f64,
    /// Answers with an id that is another message's, no message's, or missing: another, never-given, empty
    #[arg(long, value_name = "KIND[=PART]", value_parser = wrong_id, num_args = 1..)]
    wrong_id: Vec<(IdChoice, f64)>,
    /// Receipts with such an id
    #[arg(long, value_name = "KIND[=PART]", value_parser = wrong_id, num_args = 1..)]
    receipt_wrong_id: Vec<(IdChoice, f64)>,
    /// Part of the receipts that never come
    #[arg(long, value_name = "PART", default_value_t = 0.0, value_parser = part)]
    receipt_drop: f64,
    /// Part of the receipts that come twice
    #[arg(long, value_name = "PART", default_value_t = 0.0, value_parser = part)]
    receipt_twice: f64,
    /// Answer no enquire_link
    #[arg(long)]
    mute: bool,
    /// Die after so many messages, before the last one is answered
    #[arg(long, value_name = "NUMBER", requires = "revive_after")]
    die_after: Option<u64>,
    /// How long it stays dead; then it lives, until it has taken as many messages again
    #[arg(long, value_name = "TIME", value_parser = time, requires = "die_after")]
    revive_after: Option<Duration>,
}

impl Simulator {
    /// Gives the settings that the options stand for; `hook` is told of what happens.
    ///
    /// # Errors
    /// Files that cannot be used, texts that SMPP has no room for.
    pub(super) fn settings(self, hook: impl Fn(&SmscEvent) + Send + Sync + 'static) -> Outcome<SmscSettings> {
        let (accounts, refuse) = (self.binds.accounts()?, self.answers.refusals()?);
        let tls = self.tls.settings().map(|tls| tls.load()).transpose()?;
        Ok(SmscSettings {
            listen: self.listen,
            tls,
            accounts,
            behaviour: Behaviour {
                binds: self.binds.behaviour(),
                latency: self.answers.latency,
                reorder: self.answers.reorder,
                ids: self.answers.message_id,
                wrong_ids: wrong_ids(&self.faults.wrong_id)?,
                drop_responses: self.faults.drop,
                drop_requests: self.faults.lose,
                throttle: self.answers.throttle,
                queue_full: self.answers.queue_full,
                refuse,
                tps: self.answers.tps,
                ignore_enquire_link: self.faults.mute,
                die_after: self.faults.die_after,
                revive_after: self.faults.revive_after,
                receipts: self.receipts.behaviour(&self.faults)?,
                script: None,
            },
            seed: self.seed,
            // For query_sm; more than that only programs ask for.
            keep: 10_000,
            hook: Some(Arc::new(hook)),
            ..SmscSettings::default()
        })
    }
}

impl AnswerOptions {
    fn refusals(&self) -> Outcome<Vec<(CommandStatus, f64)>> {
        if self.refuse.iter().map(|(_, part)| part).sum::<f64>() > 1.0 {
            return Err("parts of refusals: together they are at most 1".into());
        }
        Ok(self.refuse.clone())
    }
}

impl BindOptions {
    fn accounts(&self) -> Outcome<Vec<Account>> {
        let (Some(system_id), Some(file)) = (&self.system_id, &self.password_file) else {
            return Ok(Vec::new());
        };
        let password = console::read_line(file)?;
        if system_id.len() > 15 || password.len() > 8 {
            return Err("SMPP allows 15 characters of system id and 8 of password".into());
        }
        Ok(vec![Account { system_id: system_id.clone(), password: Password::new(password.as_str()) }])
    }

    fn behaviour(&self) -> Binds {
        let (refuse, refuse_for) =
            self.refuse_binds.map_or((None, None), |(status, until)| (Some(status), until));
        Binds { refuse, refuse_for, most: self.max_binds, ..Binds::default() }
    }
}

impl TlsOptions {
    fn settings(self) -> Option<ServerTlsSettings> {
        Some(ServerTlsSettings {
            certificate_file: self.tls_certificate?,
            key_file: self.tls_key?,
            client_ca_file: self.tls_client_ca,
        })
    }
}

impl ReceiptOptions {
    fn behaviour(self, faults: &FaultOptions) -> Outcome<Option<Receipts>> {
        let wrong_ids = wrong_ids(&faults.receipt_wrong_id)?;
        Ok((!self.no_receipts).then(|| Receipts {
            delay: self.receipt_delay,
            outcomes: self.receipt_state,
            format: self.receipt_format,
            shapes: self.receipt_shape.concat(),
            ids: self.receipt_id,
            wrong_ids,
            drop: faults.receipt_drop,
            twice: faults.receipt_twice,
            before_response: self.receipt_first,
            by_data_sm: self.receipt_data_sm,
            ..Receipts::default()
        }))
    }
}

fn wrong_ids(given: &[(IdChoice, f64)]) -> Outcome<WrongIds> {
    let mut wrong = WrongIds::default();
    for &(kind, part) in given {
        match kind {
            IdChoice::Own => {}
            IdChoice::Another => wrong.another = part,
            IdChoice::NeverGiven => wrong.never_given = part,
            IdChoice::Empty => wrong.empty = part,
        }
    }
    if wrong.another + wrong.never_given + wrong.empty > 1.0 {
        return Err("parts of wrong ids: together they are at most 1".into());
    }
    Ok(wrong)
}
