//! `sealpost smsc`: the SMSC simulator as a program.
//!
//! It prints a line for each thing that happens; never the text of a message, and numbers masked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use common::models::E164;
use smpp::codec::{Address, CommandStatus};
use smpp::esme::Password;
use smpp::smsc::{Account, Behaviour, FinalState, IdFormat, Receipts, Smsc, SmscEvent, SmscSettings, Span};

use crate::console::{self, Outcome};

/// The words of SMPP 3.4 Appendix B.
const STATES: &str = "DELIVRD, EXPIRED, DELETED, UNDELIV, ACCEPTD, UNKNOWN, REJECTD or ENROUTE";

#[derive(Args)]
pub(crate) struct Simulator {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:2775")]
    listen: SocketAddr,
    /// The only ESME that may bind [default: all may]
    #[arg(long, value_name = "NAME", requires = "password_file")]
    system_id: Option<String>,
    /// File with its password
    #[arg(long, value_name = "FILE", requires = "system_id")]
    password_file: Option<PathBuf>,
    /// How long until a message is answered: 20ms, or from 10ms..2s
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = span)]
    latency: Span,
    /// How long until its receipt, likewise
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = span)]
    receipt_delay: Span,
    /// What a receipt says, such as DELIVRD or UNDELIV; repeated with weights for a mixture: DELIVRD=9 UNDELIV=1
    #[arg(long, value_name = "STATE[=WEIGHT]", default_value = "DELIVRD", value_parser = outcome, num_args = 1..)]
    receipt_state: Vec<(u32, FinalState)>,
    /// Send no receipts
    #[arg(long, conflicts_with_all = ["receipt_delay", "receipt_state"])]
    no_receipts: bool,
    /// How message ids are written: decimal, hex or padded (to ten digits)
    #[arg(long, value_name = "FORM", default_value = "decimal", value_parser = id_format)]
    message_id: IdFormat,
    /// Part of the messages, 0 to 1, that are accepted without an answer
    #[arg(long, value_name = "PART", default_value_t = 0.0, value_parser = part)]
    drop: f64,
    /// Part of the messages, 0 to 1, that are refused as too fast
    #[arg(long, value_name = "PART", default_value_t = 0.0, value_parser = part)]
    throttle: f64,
    /// Most messages a second; more are refused as too fast
    #[arg(long, value_name = "NUMBER")]
    tps: Option<u32>,
    /// Seed of everything random
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

fn span(text: &str) -> Result<Span, String> {
    let time = |text: &str| humantime::parse_duration(text).map_err(|error| error.to_string());
    match text.split_once("..") {
        None => time(text).map(Span::exactly),
        Some((min, max)) => match (time(min)?, time(max)?) {
            (min, max) if min <= max => Ok(Span { min, max }),
            _ => Err("the shorter time comes first".to_owned()),
        },
    }
}

fn outcome(text: &str) -> Result<(u32, FinalState), String> {
    let (word, weight) = text.split_once('=').unwrap_or((text, "1"));
    let weight = weight.parse().map_err(|_| "a weight is a whole number".to_owned())?;
    let state = FinalState::from_word(word, 0).ok_or_else(|| format!("one of {STATES} is expected"))?;
    Ok((weight, state))
}

fn id_format(word: &str) -> Result<IdFormat, String> {
    match word {
        "decimal" => Ok(IdFormat::Decimal),
        "hex" => Ok(IdFormat::Hex),
        "padded" => Ok(IdFormat::Padded),
        _ => Err("one of decimal, hex, padded is expected".to_owned()),
    }
}

fn part(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|part| (0.0..=1.0).contains(part)).ok_or_else(|| "0 to 1 is expected".to_owned())
}

impl Simulator {
    /// Runs until it is asked to stop.
    ///
    /// # Errors
    /// An address that cannot be listened on, a password that SMPP has no room for.
    pub(crate) fn run(self) -> Outcome {
        let settings = self.settings()?;
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
            let stop = web::shutdown_signal()?;
            let listen = settings.listen;
            let smsc = Smsc::start(settings).await.map_err(|error| format!("{listen}: {error}"))?;
            console::print_line(&format!("ready smpp={}", smsc.address()))?;
            stop.await;
            Ok(())
        })
    }

    fn settings(self) -> Outcome<SmscSettings> {
        let mut accounts = Vec::new();
        if let (Some(system_id), Some(file)) = (self.system_id, &self.password_file) {
            let password = console::read_line(file)?;
            if system_id.len() > 15 || password.len() > 8 {
                return Err("SMPP allows 15 characters of system id and 8 of password".into());
            }
            accounts.push(Account { system_id, password: Password::new(password.as_str()) });
        }
        let receipts =
            Receipts { delay: self.receipt_delay, outcomes: self.receipt_state, ..Receipts::default() };
        let behaviour = Behaviour {
            latency: self.latency,
            ids: self.message_id,
            receipts: (!self.no_receipts).then_some(receipts),
            drop_responses: self.drop,
            throttle: self.throttle,
            tps: self.tps,
            ..Behaviour::default()
        };
        Ok(SmscSettings {
            listen: self.listen,
            accounts,
            behaviour,
            seed: self.seed,
            // Only for programs that ask for what was accepted.
            keep: 1000,
            hook: Some(Arc::new(|event| {
                // A reader of the lines that has gone is no reason to stop.
                let _ = console::print_line(&describe(event));
            })),
            ..SmscSettings::default()
        })
    }
}

/// One line about an event.
fn describe(event: &SmscEvent) -> String {
    match event {
        SmscEvent::Bound { system_id } => format!("bound esme={system_id}"),
        SmscEvent::BindRefused { system_id, status } => {
            format!("bind-refused esme={system_id} status={}", name(*status))
        }
        SmscEvent::Unbound { system_id } => format!("unbound esme={system_id}"),
        SmscEvent::Accepted(accepted) => format!(
            "accepted esme={} id={} to={} coding={} octets={}",
            accepted.system_id,
            accepted.message_id,
            masked(&accepted.message.destination),
            accepted.message.data_coding,
            accepted.message.text().len(),
        ),
        SmscEvent::Refused { system_id, status } => {
            format!("refused esme={system_id} status={}", name(*status))
        }
        SmscEvent::Delivered { system_id, message, status } => {
            let what = if message.is_receipt() { "receipt" } else { "message" };
            let id = message.tlvs.receipted_message_id().unwrap_or("-");
            format!("{what} esme={system_id} id={id} answered={}", name(*status))
        }
    }
}

fn name(status: CommandStatus) -> String {
    status.name().map_or_else(|| format!("0x{:08X}", status.0), str::to_owned)
}

fn masked(address: &Address) -> String {
    let number = format!("+{}", address.value).parse::<E164>();
    number.map_or_else(|_| "*****".to_owned(), |number| number.masked())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use smpp::codec::SubmitSm;
    use smpp::smsc::Accepted;

    use super::*;

    #[test]
    fn times_are_one_or_two() {
        assert_eq!(span("20ms").unwrap(), Span::exactly(Duration::from_millis(20)));
        assert_eq!(
            span("10ms..2s").unwrap(),
            Span { min: Duration::from_millis(10), max: Duration::from_secs(2) }
        );
        for wrong in ["", "20", "2s..1s", "..", "1s.."] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn states_may_have_weights() {
        assert_eq!(outcome("DELIVRD").unwrap(), (1, FinalState::DELIVERED));
        assert_eq!(outcome("UNDELIV=3").unwrap(), (3, FinalState::from_word("UNDELIV", 0).unwrap()));
        for wrong in ["delivrd", "DELIVRD=", "DELIVRD=x", ""] {
            assert!(outcome(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_line_shows_neither_text_nor_number() {
        let destination = Address { ton: 1, npi: 1, value: "255712345678".into() };
        let message = SubmitSm { destination, short_message: b"secret".to_vec(), ..SubmitSm::default() };
        let accepted = Accepted { system_id: "acme".into(), message_id: "7".into(), message, state: 2 };

        let line = describe(&SmscEvent::Accepted(accepted));

        assert_eq!(line, "accepted esme=acme id=7 to=+255*****78 coding=0 octets=6");
    }
}
