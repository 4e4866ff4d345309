//! The steps: name, connection, bind, message, receipt.

use std::time::Duration;

use smpp::codec::{Address, SubmitSm};
use smpp::esme::{BindKind, EsmeSettings, LinkError, Password, Probe, ProbeError};
use smpp::tls::TlsSettings;
use sms::{DefaultAlphabet, LongText, parts};
use sms_gateway::Bind;
use tokio::time::Instant;

use super::block::{Learnt, shape};
use super::options::{Messages, Target, agreed};
use super::receipts::{self, Sent};
use super::report::{Failure, Report};
use super::words;
use crate::console::Outcome;

const NO_CONNECTION: u8 = 3;
const NO_BIND: u8 = 4;
const NO_MESSAGE: u8 = 5;
pub(super) const NO_RECEIPT: u8 = 6;

/// Octets of the default alphabet that look different in each.
const ALPHABET: &str = "Alphabet: @ $ £ é Ä ü";

/// How a step ended.
pub(super) type Step<T = ()> = Result<T, Box<Failure>>;

pub(super) fn failure(code: u8, step: &'static str, text: String, advice: &str) -> Box<Failure> {
    Box::new(Failure { code, step, text, advice: advice.to_owned() })
}

/// Whatever has nothing to do with the SMSC.
pub(super) fn ours(step: &'static str) -> impl Fn(Box<dyn std::error::Error + Send + Sync>) -> Box<Failure> {
    move |error| failure(1, step, error.to_string(), "nothing was sent in this step")
}

/// Takes the steps until one fails; gives what was learnt on the way.
pub(super) async fn take(target: &Target, report: &mut Report) -> (Learnt, Option<Failure>) {
    let mut learnt = Learnt::default();
    let taken = all(target, report, &mut learnt).await;
    (learnt, taken.err().map(|failure| *failure))
}

/// Connects, and sends nothing.
///
/// # Errors
/// The step that failed.
pub(super) async fn connect(target: &Target, report: &mut Report) -> Result<(), Failure> {
    let tried = async {
        resolve(target, report).await?;
        connected(target, BindKind::Transceiver, report).await.map(drop)
    };
    tried.await.map_err(|failure| *failure)
}

async fn all(target: &Target, report: &mut Report, learnt: &mut Learnt) -> Step {
    resolve(target, report).await?;
    let (first, second) = match target.smsc.bind {
        Bind::Pair => (BindKind::Transmitter, Some(BindKind::Receiver)),
        Bind::Transmitter => (BindKind::Transmitter, None),
        Bind::Receiver => (BindKind::Receiver, None),
        Bind::Transceiver => (BindKind::Transceiver, None),
    };
    let mut sender = bound(target, first, report, learnt).await?;
    let mut receiver = match second {
        Some(kind) => Some(bound(target, kind, report, learnt).await?),
        None => None,
    };
    let taken = match &target.messages {
        Some(messages) if first != BindKind::Receiver => {
            let receives = first == BindKind::Transceiver || receiver.is_some();
            send(messages, &mut sender, receiver.as_mut(), (report, learnt, receives)).await
        }
        _ => Ok(()),
    };
    sender.unbind().await;
    if let Some(receiver) = receiver {
        receiver.unbind().await;
    }
    taken
}

async fn resolve(target: &Target, report: &mut Report) -> Step {
    let (host, port) = (target.smsc.host.as_str(), target.smsc.port);
    let found = tokio::time::timeout(target.timeout, tokio::net::lookup_host((host, port))).await;
    let addresses: Vec<String> = match found {
        Ok(Ok(addresses)) => addresses.map(|address| address.ip().to_string()).collect(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    if addresses.is_empty() {
        let text = format!("{host} has no address");
        return Err(failure(NO_CONNECTION, "name", text, "check the host's name, and this machine's DNS"));
    }
    report.step("name", &format!("{host} is {}", addresses.join(", "))).map_err(ours("name"))
}

async fn bound(target: &Target, kind: BindKind, report: &mut Report, learnt: &mut Learnt) -> Step<Probe> {
    let mut probe = connected(target, kind, report).await?;
    bind(&mut probe, kind, report, learnt).await?;
    Ok(probe)
}

async fn connected(target: &Target, kind: BindKind, report: &mut Report) -> Step<Probe> {
    let smsc = &target.smsc;
    let tls = smsc.tls.as_ref().map(|tls| TlsSettings::from(tls).load(&smsc.host)).transpose();
    let tls = tls.map_err(|error| {
        failure(
            NO_CONNECTION,
            "tls",
            error.to_string(),
            "mend the files, or name others; nothing was connected",
        )
    })?;
    let secure = tls.is_some();
    let settings = EsmeSettings {
        name: smsc.name.to_string(),
        host: smsc.host.clone(),
        port: smsc.port,
        tls,
        system_id: smsc.system_id.clone(),
        password: Password::new(smsc.password.expose().as_str()),
        system_type: smsc.system_type.clone(),
        kind,
        interface_version: smsc.interface_version,
        connect_timeout: target.timeout,
        response_timeout: target.timeout,
        ..EsmeSettings::default()
    };
    let begun = Instant::now();
    let probe = Probe::connect(settings).await.map_err(|error| not_connected(error, report))?;
    let how = if secure { "TCP and TLS, its certificate is good" } else { "TCP, in the clear" };
    report.step("connection", &format!("{how}, {}", ms(begun.elapsed()))).map_err(ours("connection"))?;
    Ok(probe)
}

fn not_connected(error: LinkError, report: &mut Report) -> Box<Failure> {
    match error {
        LinkError::Tls(tls) => {
            // A report that cannot be written is told of by the next.
            let _ = report.step("connection", "TCP");
            failure(NO_CONNECTION, "tls", tls.to_string(), words::tls(tls))
        }
        LinkError::Connect(kind) => {
            failure(NO_CONNECTION, "connection", error.to_string(), words::connection(kind))
        }
        error => failure(NO_CONNECTION, "connection", error.to_string(), "try again"),
    }
}

async fn bind(probe: &mut Probe, kind: BindKind, report: &mut Report, learnt: &mut Learnt) -> Step {
    let kind = kind.as_str();
    let answer = probe.bind().await.map_err(|error| {
        let advice = match &error {
            ProbeError::Silent(_) => {
                "something listens there, but does not answer as an SMSC: is it the port for SMPP? Does it want TLS?"
            }
            ProbeError::Invalid(_) => "SMPP has room for 15 characters of system id and 8 of password",
            _ => {
                "some SMSCs hang up on addresses that they were not told, or where TLS is wanted: ask the operator"
            }
        };
        failure(NO_BIND, "bind", error.to_string(), advice)
    })?;
    if !answer.status.is_ok() {
        let (meaning, advice) = words::bind(answer.status);
        return Err(failure(NO_BIND, "bind", format!("refused with {}: {meaning}", answer.status), advice));
    }
    learnt.bound = true;
    learnt.version = answer.body.tlvs.sc_interface_version();
    let version = learnt.version.map_or_else(
        || "names no version (as 3.3 does)".to_owned(),
        |number| format!("speaks SMPP {}", words::version(number)),
    );
    let text =
        format!("as {kind}; it calls itself {:?}, {version}, {}", answer.body.system_id, ms(answer.took));
    report.step("bind", &text).map_err(ours("bind"))
}

async fn send(
    messages: &Messages,
    probe: &mut Probe,
    receiver: Option<&mut Probe>,
    (report, learnt, receives): (&mut Report, &mut Learnt, bool),
) -> Step {
    let mut texts = vec![messages.text.as_str()];
    texts.extend(messages.alphabet.then_some(ALPHABET));
    let all = cut(messages, &texts, receives)?;
    let announced = format!("{} to {}", count(all.len()), messages.to.masked());
    report.note("message", &format!("now {announced} will be sent")).map_err(ours("message"))?;
    if messages.ask && !agreed("Send?").map_err(ours("message"))? {
        return Err(failure(
            1,
            "message",
            "not sent, as you wish".to_owned(),
            "--no-message ends after the bind",
        ));
    }
    let mut sent = Vec::new();
    for message in all {
        sent.push(submit(probe, message, report).await?);
    }
    learnt.message_id = sent.first().map(|sent| sent.id.clone());
    if messages.alphabet {
        tell_alphabet(report).map_err(ours("message"))?;
    }
    if !receives {
        return report.note("receipt", "not waited for: a transmitter gets none").map_err(ours("receipt"));
    }
    receipts::wait(messages, receiver.unwrap_or(probe), &mut sent, (report, learnt)).await
}

/// Every text as one submit_sm, or a refusal before anything is sent.
fn cut(messages: &Messages, texts: &[&str], receives: bool) -> Step<Vec<SubmitSm>> {
    let (ton, npi) = messages.sender.kind.ton_npi();
    let mut all = Vec::new();
    for text in texts {
        let cut = parts(text, DefaultAlphabet::Gsm7, LongText::Udh8, 0);
        let Some((coding, [part])) = cut.as_ref().ok().map(|cut| (cut.coding, cut.parts.as_slice())) else {
            let advice = "give a shorter --text";
            return Err(failure(2, "message", "the text does not fit one message".to_owned(), advice));
        };
        all.push(SubmitSm {
            source: Address { ton, npi, value: messages.sender.value.clone() },
            destination: Address { ton: 1, npi: 1, value: messages.to.digits().to_owned() },
            registered_delivery: receives.into(),
            data_coding: coding.data_coding(),
            short_message: part.short_message(),
            ..SubmitSm::default()
        });
    }
    Ok(all)
}

async fn submit(probe: &mut Probe, message: SubmitSm, report: &mut Report) -> Step<Sent> {
    let answer = probe.submit(message).await.map_err(|error| {
        let advice = "the SMSC may have the message all the same: look at the telephone before you try again";
        failure(NO_MESSAGE, "message", error.to_string(), advice)
    })?;
    if !answer.status.is_ok() {
        let (meaning, advice) = words::message(answer.status);
        let text = format!("refused with {}: {meaning}", answer.status);
        return Err(failure(NO_MESSAGE, "message", text, advice));
    }
    let id = answer.body.message_id;
    let text = format!("accepted, {}; its id is {id:?} ({})", ms(answer.took), shape(&id));
    report.step("message", &text).map_err(ours("message"))?;
    if id.is_empty() {
        let text = "without an id no receipt can be told to be its own: ask the operator to give one";
        report.note("message", text).map_err(ours("message"))?;
    }
    Ok(Sent { id, at: Instant::now(), receipt: None })
}

/// Shows what the telephone shows, by what the SMSC takes the octets for.
fn tell_alphabet(report: &mut Report) -> Outcome {
    report.note("alphabet", "look at the second message on the telephone; default_alphabet is")?;
    report.note("alphabet", &format!("  \"gsm7\" if it reads  {ALPHABET}"))?;
    let octets = parts(ALPHABET, DefaultAlphabet::Gsm7, LongText::Udh8, 0)?;
    let octets: Vec<u8> = octets.parts.iter().flat_map(|part| part.octets.clone()).collect();
    let latin: String = DefaultAlphabet::Latin1
        .decode(&octets)
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    report.note("alphabet", &format!("  \"latin1\" or \"ascii\" if it is more like  {latin}"))
}

pub(super) fn count(messages: usize) -> String {
    if messages == 1 { "1 message".to_owned() } else { format!("{messages} messages") }
}

pub(super) fn ms(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}
