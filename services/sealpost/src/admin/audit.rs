//! `sealpost admin audit`: what operators did, as each service has written it down.

use clap::{Args, ValueEnum};
use common::models::UnixMillis;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::Operator;
use crate::console::{self, Outcome};

/// Entries that are read at a time.
const PAGE: i64 = 1000;

/// Who keeps a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Keeper {
    /// Accounts and invites.
    Auth,
    /// Devices.
    Keystore,
    /// Queues.
    Mailbox,
    /// Gateway clients.
    Relay,
    /// Messages, binds and opt-outs.
    SmsGateway,
}

impl Keeper {
    fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Keystore => "keystore",
            Self::Mailbox => "mailbox",
            Self::Relay => "relay",
            Self::SmsGateway => "sms-gateway",
        }
    }
}

#[derive(Args)]
pub(crate) struct Audit {
    /// The log of this service alone; may be given several times [default: all]
    #[arg(long = "of", value_name = "SERVICE", value_enum)]
    of: Vec<Keeper>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Deserialize)]
struct Entry {
    id: i64,
    at: UnixMillis,
    actor: String,
    action: String,
    target: String,
    hash: String,
    intact: bool,
}

/// An entry with the log that it is in.
#[derive(Serialize)]
struct Line {
    service: &'static str,
    id: i64,
    at: UnixMillis,
    actor: String,
    action: String,
    target: String,
    hash: String,
    intact: bool,
}

impl Audit {
    /// Runs the command: prints what is there, the oldest first, and fails when any of it is not as it was written.
    ///
    /// # Errors
    /// What went wrong, for the person who typed it.
    pub(super) async fn run(self) -> Outcome {
        let Self { of, json, operator } = self;
        let mut lines = Vec::new();
        let keepers = if of.is_empty() { Keeper::value_variants() } else { &of };
        for keeper in keepers {
            read(&operator, keeper.as_str(), &mut lines).await?;
        }
        lines.sort_by(|one, other| (one.at, one.service, one.id).cmp(&(other.at, other.service, other.id)));
        console::printed(match json {
            true => console::print_line(&serde_json::to_string_pretty(&lines)?),
            false => lines.iter().try_for_each(Line::print),
        })?;
        intact(&lines)
    }
}

impl Line {
    fn print(&self) -> Outcome {
        let Self { service, id, at, actor, action, target, intact, .. } = self;
        let (at, mark) = (at.to_rfc3339_seconds(), if *intact { "" } else { "\tNOT AS WRITTEN" });
        console::print_line(&format!("{at}\t{service}\t{id}\t{actor}\t{action}\t{target}{mark}"))
    }
}

/// Prints one service's log alone, as `admin sms audit` does.
///
/// # Errors
/// As [`Audit::run`].
pub(super) async fn print_one(operator: &Operator, service: &'static str) -> Outcome {
    let mut lines = Vec::new();
    read(operator, service, &mut lines).await?;
    let print = |Line { id, at, actor, action, target, intact, .. }: &Line| {
        let (at, mark) = (at.to_rfc3339_seconds(), if *intact { "" } else { "\tNOT AS WRITTEN" });
        console::print_line(&format!("{id}\t{at}\t{actor}\t{action}\t{target}{mark}"))
    };
    console::printed(lines.iter().try_for_each(print))?;
    intact(&lines)
}

fn intact(lines: &[Line]) -> Outcome {
    match lines.iter().filter(|line| !line.intact).count() {
        0 => Ok(()),
        broken => {
            let text = "entries are not as they were written, or follow one that is gone";
            Err(format!("{broken} {text}").into())
        }
    }
}

async fn read(operator: &Operator, service: &'static str, lines: &mut Vec<Line>) -> Outcome {
    let mut after = 0;
    loop {
        let (from, limit) = (after.to_string(), PAGE.to_string());
        let query = [("after", from.as_str()), ("limit", limit.as_str())];
        let path = ["internal", service, "v1", "audit"];
        let page: Vec<Entry> = operator.call(Method::GET, &path, &query, |request| request).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id;
        lines.extend(page.into_iter().map(|Entry { id, at, actor, action, target, hash, intact }| Line {
            service,
            id,
            at,
            actor,
            action,
            target,
            hash,
            intact,
        }));
    }
}
