//! What is to be tried: from options, a settings file, or the person at the terminal.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use ::console::Term;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use common::models::E164;
use smpp::esme::InterfaceVersion;
use sms::sender::{Sender, detect};
use sms_gateway::{Bind, Settings, SmscSettings, Tls};

use crate::console::{Coded, Outcome, read_line};

/// Where the password may be, beside a file: not among the arguments, which every user of the machine can read.
const PASSWORD: &str = "SEALPOST_SMSC_PASSWORD";

const EXIT_CODES: &str = "\
What is missing is asked for on a terminal. Exit codes: 0 all well, 2 wrong arguments, 3 no connection, 4 the bind was \
refused, 5 a message was refused or not answered, 6 a receipt did not come or says that it was not delivered.

Examples:
  sealpost sms smsc test
  sealpost sms smsc test --host smsc.example --system-id acme --password-file secret --to +255712345678
  sealpost sms smsc test --config sealpost.toml --smsc main --no-message --json";

#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Test {
    /// Settings file with the SMSC; options here win over it
    #[arg(long, value_name = "FILE", requires = "smsc")]
    config: Option<PathBuf>,
    /// Name of the SMSC, in the file or for the settings that are printed [default: main]
    #[arg(long, value_name = "NAME")]
    smsc: Option<String>,
    /// Host name or address
    #[arg(long)]
    host: Option<String>,
    /// TCP port [default: 2775]
    #[arg(long)]
    port: Option<u16>,
    /// Connect over TLS, and trust the system's authorities
    #[arg(long)]
    tls: bool,
    /// Connect over TLS, and trust the authorities in this PEM file
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The name in the SMSC's certificate, if it is not the host's
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// Your login
    #[arg(long, value_name = "ID")]
    system_id: Option<String>,
    /// File with its password; else the variable SEALPOST_SMSC_PASSWORD
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Kind of ESME, where the operator has named one
    #[arg(long, value_name = "TYPE")]
    system_type: Option<String>,
    /// SMPP version to speak: 3.3, 3.4 or 5.0
    #[arg(long, value_name = "VERSION")]
    interface_version: Option<InterfaceVersion>,
    /// transceiver; tx+rx for two binds; transmitter where another program takes the receipts
    #[arg(long, value_name = "KIND", value_parser = bind())]
    bind: Option<Bind>,
    /// Who gets the message: + and digits. A telephone that you have at hand
    #[arg(long, value_name = "NUMBER", conflicts_with = "no_message")]
    to: Option<E164>,
    /// Sender id that the operator lets you use
    #[arg(long, default_value = "TEST")]
    sender: String,
    /// Another text than the harmless one
    #[arg(long, default_value = "This is a test of the connection to the SMS centre.")]
    text: String,
    /// Send a second message, that shows which alphabet the SMSC has
    #[arg(long, conflicts_with = "no_message")]
    alphabet: bool,
    /// End after the bind
    #[arg(long)]
    no_message: bool,
    /// Send without asking first
    #[arg(long, short)]
    yes: bool,
    /// How long to wait for the receipt
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = humantime::parse_duration)]
    receipt_timeout: Duration,
    /// How long to wait for a connection, and for each answer
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Print one JSON object at the end, for scripts
    #[arg(long)]
    pub(super) json: bool,
}

fn bind() -> impl clap::builder::TypedValueParser<Value = Bind> {
    PossibleValuesParser::new(["transceiver", "tx+rx", "transmitter"]).map(|word| match word.as_str() {
        "tx+rx" => Bind::Pair,
        "transmitter" => Bind::Transmitter,
        _ => Bind::Transceiver,
    })
}

/// What is tried.
pub(super) struct Target {
    pub(super) smsc: SmscSettings,
    /// None to end after the bind.
    pub(super) messages: Option<Messages>,
    pub(super) timeout: Duration,
}

/// What is sent.
pub(super) struct Messages {
    pub(super) to: E164,
    pub(super) sender: Sender,
    pub(super) text: String,
    /// Whether the text for the alphabet follows.
    pub(super) alphabet: bool,
    /// Whether the person is asked before.
    pub(super) ask: bool,
    pub(super) receipt_timeout: Duration,
}

impl Test {
    /// Gathers what is needed.
    ///
    /// # Errors
    /// What is wrong with it, or missing where nobody can be asked.
    pub(super) fn target(self) -> Outcome<Target> {
        let mut smsc = self.base()?;
        if let Some(name) = &self.smsc {
            smsc.name = name.as_str().into();
        }
        match &self.host {
            Some(host) => smsc.host = host.clone(),
            None if self.config.is_none() => smsc.host = ask("--host", "Host of the SMSC")?,
            None => {}
        }
        if let Some(port) = self.port {
            smsc.port = port;
        }
        if self.tls || self.ca_file.is_some() || self.server_name.is_some() {
            let tls = smsc.tls.get_or_insert_with(Tls::default);
            tls.ca_file = self.ca_file.clone().or_else(|| tls.ca_file.take());
            tls.server_name = self.server_name.clone().or_else(|| tls.server_name.take());
        }
        match &self.system_id {
            Some(system_id) => smsc.system_id = system_id.clone(),
            None if self.config.is_none() => smsc.system_id = ask("--system-id", "System id (login)")?,
            None => {}
        }
        if let Some(password) = self.password()? {
            smsc.password = password.into();
        }
        if let Some(system_type) = &self.system_type {
            smsc.system_type = system_type.clone();
        }
        smsc.interface_version = self.interface_version.unwrap_or(smsc.interface_version);
        smsc.bind = self.bind.unwrap_or(smsc.bind);
        let messages = if self.no_message { None } else { Some(self.messages()?) };
        Ok(Target { smsc, messages, timeout: self.timeout })
    }

    /// The SMSC of the settings file, or one with all defaults.
    fn base(&self) -> Outcome<SmscSettings> {
        let Some(file) = &self.config else {
            return Ok(SmscSettings { name: "main".into(), ..SmscSettings::default() });
        };
        let config = config::Config::load(Some(file), service::environment(), [])?;
        let settings: Settings = config.section("sms_gateway")?;
        let name = self.smsc.as_deref().unwrap_or_default();
        let found = settings.smsc.into_iter().find(|smsc| smsc.name.as_str() == name);
        Ok(found.ok_or_else(|| format!("{}: no [[sms_gateway.smsc]] is named {name:?}", file.display()))?)
    }

    fn password(&self) -> Outcome<Option<String>> {
        if let Some(file) = &self.password_file {
            return Ok(Some(read_line(file)?.to_string()));
        }
        match std::env::var(PASSWORD) {
            Ok(password) => Ok(Some(password)),
            Err(_) if self.config.is_some() => Ok(None),
            Err(_) => {
                let term = terminal("--password-file or SEALPOST_SMSC_PASSWORD")?;
                term.write_str("Password (not shown): ")?;
                Ok(Some(term.read_secure_line()?))
            }
        }
    }

    fn messages(&self) -> Outcome<Messages> {
        let to = match &self.to {
            Some(to) => to.clone(),
            None => ask("--to (or --no-message)", "Number of a telephone at hand, + and digits")?
                .parse()
                .map_err(|error| wrong(format!("the number: {error}")))?,
        };
        Ok(Messages {
            to,
            sender: detect(&self.sender).map_err(|error| wrong(format!("--sender: {error}")))?,
            text: self.text.clone(),
            alphabet: self.alphabet,
            ask: !self.yes && std::io::stdin().is_terminal(),
            receipt_timeout: self.receipt_timeout,
        })
    }
}

fn wrong(text: String) -> Coded {
    Coded { code: 2, text }
}

/// The terminal, if there is a person at it.
fn terminal(option: &str) -> Outcome<Term> {
    match std::io::stdin().is_terminal() {
        true => Ok(Term::stderr()),
        false => Err(wrong(format!("give {option}")).into()),
    }
}

fn ask(option: &str, what: &str) -> Outcome<String> {
    let term = terminal(option)?;
    term.write_str(&format!("{what}: "))?;
    let line = term.read_line()?.trim().to_owned();
    if line.is_empty() { Err(wrong(format!("give {option}")).into()) } else { Ok(line) }
}

/// Asks whether to go on.
pub(super) fn agreed(question: &str) -> Outcome<bool> {
    let term = Term::stderr();
    term.write_str(&format!("{question} [y/N] "))?;
    Ok(matches!(term.read_line()?.trim(), "y" | "Y" | "yes"))
}
