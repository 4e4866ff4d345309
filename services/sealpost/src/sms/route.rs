//! `sealpost sms route`: which way messages would go, and what they would cost, without sending any.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{ArgGroup, Args};
use common::models::E164;
use common::models::sms::{ClientId, SmsClass};
use config::ConfigError;
use serde::Serialize;
use sms_gateway::dry_run::{Answer, Candidate, DryRun, Question};
use sms_gateway::{Price, Settings};
use zeroize::Zeroizing;

use super::send::class;
use crate::console::{self, Outcome};

#[derive(Args)]
#[command(group(ArgGroup::new("content").args(["text", "file"]).required(true)))]
pub(crate) struct Route {
    /// Recipient: + and 7 to 15 digits; without it stdin, one number a line, for a table with totals for each route
    #[arg(long, value_name = "NUMBER")]
    to: Option<E164>,
    /// The client id
    #[arg(long)]
    client: String,
    /// How urgent: bulk, otp or alert
    #[arg(long, value_parser = class, default_value = "bulk")]
    class: SmsClass,
    /// Sender id, for routes that have conditions on it
    #[arg(long)]
    sender: Option<String>,
    /// Text of the SMS
    #[arg(long)]
    text: Option<String>,
    /// File with the text of the SMS
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The gateway's settings file (TOML)
    #[arg(long, value_name = "FILE", env = "SEALPOST_CONFIG")]
    config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Route {
    pub(super) fn run(self) -> Outcome {
        let dry_run = DryRun::new(settings(self.config.clone())?);
        let client = ClientId::from(self.client.as_str());
        let text = self.content()?;
        let ask = |to: &E164| {
            let sender = self.sender.as_deref();
            dry_run.ask(&Question { client: &client, class: self.class, to, sender, text: &text })
        };
        match &self.to {
            Some(to) => self.tell(&ask(to)),
            None => {
                let input = console::stdin_text()?;
                let answers = numbers(&input)?.iter().map(ask).collect();
                self.tabulate(answers)
            }
        }
    }

    fn content(&self) -> Outcome<Zeroizing<String>> {
        let Some(file) = &self.file else {
            return Ok(Zeroizing::new(self.text.clone().unwrap_or_default()));
        };
        let bytes = console::read(file)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| format!("{}: not UTF-8", file.display()))?;
        // The line end that an editor puts last is no part of it.
        Ok(Zeroizing::new(text.strip_suffix('\n').unwrap_or(text).to_owned()))
    }

    fn tell(&self, answer: &Answer) -> Outcome {
        if self.json {
            return console::print_line(&serde_json::to_string(answer)?);
        }
        let mut lines = vec![format!("to         {}", answer.to)];
        if let Some(route) = &answer.route {
            let why = match answer.conditions.as_slice() {
                [] => "it takes every message".to_owned(),
                conditions => format!("{} hold", conditions.join(", ")),
            };
            lines.push(format!("route      {route}: {why}"));
        }
        for passed in &answer.passed_over {
            lines.push(format!("not        {}: {} do not hold", passed.route, passed.condition));
        }
        lines.extend(answer.smscs.iter().map(candidate));
        match &answer.refusal {
            Some(refusal) => lines.push(format!("not sent   {refusal}")),
            None => lines.push(format!("parts      {}", answer.parts)),
        }
        if let Some(cost) = answer.cost {
            lines.push(format!("cost       {}", money(cost, &answer.currency)));
        }
        console::print_line(&lines.join("\n"))
    }

    fn tabulate(&self, answers: Vec<Answer>) -> Outcome {
        let totals = totals(&answers);
        if self.json {
            return console::print_line(&serde_json::to_string(&Table { messages: answers, totals })?);
        }
        for answer in &answers {
            let route = answer.route.as_ref().map_or("-", |route| route.as_str());
            let end = answer.refusal.clone().unwrap_or_else(|| cost(answer.cost, &answer.currency));
            console::print_line(&format!("{}\t{route}\t{}\t{end}", answer.to, answer.parts))?;
        }
        for total in totals {
            let (route, end) = match total.route.as_str() {
                "" => ("not sent", String::new()),
                route => (route, cost(total.cost, &total.currency)),
            };
            let Total { messages, parts, .. } = total;
            console::print_line(&format!("total\t{route}\t{messages} messages\t{parts} parts\t{end}"))?;
        }
        Ok(())
    }
}

/// What a list comes to.
#[derive(Serialize)]
struct Table {
    messages: Vec<Answer>,
    totals: Vec<Total>,
}

/// The sum of one route.
#[derive(Serialize)]
struct Total {
    /// Empty for those that would not be sent.
    route: String,
    messages: u64,
    parts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Price>,
    #[serde(skip_serializing_if = "String::is_empty")]
    currency: String,
}

fn totals(answers: &[Answer]) -> Vec<Total> {
    let mut by_route: BTreeMap<&str, Vec<&Answer>> = BTreeMap::new();
    for answer in answers {
        let route = answer.route.as_ref().filter(|_| answer.refusal.is_none());
        by_route.entry(route.map_or("", |route| route.as_str())).or_default().push(answer);
    }
    let total = |(route, of): (&str, Vec<&Answer>)| Total {
        route: route.to_owned(),
        messages: of.len() as u64,
        parts: of.iter().map(|answer| answer.parts).sum(),
        cost: of.iter().map(|answer| answer.cost).sum(),
        currency: of.first().map(|answer| answer.currency.clone()).unwrap_or_default(),
    };
    by_route.into_iter().map(total).collect()
}

fn candidate(candidate: &Candidate) -> String {
    let Candidate { smsc, share, backup, alphabet, characters, parts } = candidate;
    let share = match backup {
        true => "backup".to_owned(),
        false => format!("{:.0} %", share * 100.0),
    };
    format!("smsc       {smsc}: {share}, {alphabet}, {characters} characters, {parts} parts")
}

fn cost(cost: Option<Price>, currency: &str) -> String {
    cost.map(|cost| money(cost, currency)).unwrap_or_default()
}

fn money(price: Price, currency: &str) -> String {
    format!("{price} {currency}").trim_end().to_owned()
}

fn numbers(text: &str) -> Outcome<Vec<E164>> {
    let lines = text.lines().map(str::trim).zip(1..).filter(|(line, _)| !line.is_empty());
    let number = |(line, number): (&str, u32)| {
        line.parse().map_err(|error| format!("line {number} of stdin: {error}").into())
    };
    lines.map(number).collect()
}

/// Reads the gateway's section as the gateway does.
fn settings(file: Option<PathBuf>) -> Outcome<Settings> {
    let options = service::Options { config: file, ..service::Options::default() };
    let settings: Settings = options.load(service::environment())?.section("sms_gateway")?;
    let faults = settings.faults();
    if !faults.is_empty() {
        let faults = faults.into_iter().map(|(place, what)| config::Fault::new(place, what)).collect();
        return Err(ConfigError::Invalid(faults).into());
    }
    Ok(settings)
}
