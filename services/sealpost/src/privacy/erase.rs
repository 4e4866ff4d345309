//! `sealpost admin accounts erase`: deletes an account the way its owner does, by auth and its event, and asks every service
//! afterwards what is left. Whatever happens on the way, the same command again goes on.

use std::io::BufRead as _;
use std::time::{Duration, Instant};

use clap::Args;
use common::models::privacy::{Erased, Holding};
use common::models::{AccountId, UnixMillis};
use reqwest::Method;
use serde::Serialize;

use super::places::{Place, Places};
use super::survey::{Said, ask_all};
use crate::console::{self, Outcome};

/// How long the services have for one telling.
const AGAIN: Duration = Duration::from_secs(5);
/// How long after one look at the services the next one follows.
const STEP: Duration = Duration::from_millis(300);

#[derive(Args)]
pub(crate) struct Erase {
    /// The account
    #[arg(long, value_name = "ID")]
    account: AccountId,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// How long the services have to do it
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    wait: Duration,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    places: Places,
}

/// What was done, and what the services say afterwards.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    account_id: AccountId,
    deleted_at: UnixMillis,
    /// Whether there was an account; not if this is a repetition.
    existed: bool,
    /// Whether nothing is left that has to go.
    complete: bool,
    services: Vec<Said>,
}

impl Erase {
    pub(super) async fn run(self) -> Outcome {
        let Self { account, yes, wait, json, places } = self;
        let places = places.all();
        let before = ask_all(&places, account).await;
        if let Some(error) = before.first().and_then(|auth| auth.error.as_ref()) {
            return Err(error.clone().into());
        }
        if !before.iter().any(Said::knows) {
            return Err("no service that answers knows this account".into());
        }
        if !yes {
            confirm(account, &before)?;
        }
        let auth = places.first().ok_or("there is no auth")?;
        let erased = tell(auth, account).await?;
        let services = settle(&places, account, wait).await?;
        let report = Report {
            account_id: account,
            deleted_at: erased.deleted_at,
            existed: erased.existed,
            complete: services.iter().all(Said::is_done),
            services,
        };
        console::printed(match json {
            true => console::print_line(&serde_json::to_string_pretty(&report)?),
            false => report.print(),
        })?;
        if report.complete {
            console::say("erased in all services; records on the bus and backups: see docs/privacy.md");
            Ok(())
        } else {
            Err("not complete yet: it goes on by itself, and this command again tells how far it has come"
                .into())
        }
    }
}

/// Has auth delete the account, and tell all services, once more if need be.
async fn tell(auth: &Place<'_>, account: AccountId) -> Outcome<Erased> {
    let path = ["internal", "auth", "v1", "privacy", "accounts", account.as_str()];
    auth.operator.call(Method::DELETE, &path, &[], |request| request).await
}

/// Asks until nothing is left that has to go, or the time is over. What was on its way to a service when it heard of the
/// deletion may leave something there again: then all are told again.
async fn settle(places: &[Place<'_>], account: AccountId, wait: Duration) -> Outcome<Vec<Said>> {
    let (begun, mut told) = (Instant::now(), Instant::now());
    loop {
        let said = ask_all(places, account).await;
        if said.iter().all(Said::is_done) || begun.elapsed() >= wait {
            return Ok(said);
        }
        if let Some(auth) = places.first().filter(|_| told.elapsed() >= AGAIN) {
            tell(auth, account).await?;
            told = Instant::now();
        }
        tokio::time::sleep(STEP).await;
    }
}

/// Has the person who typed the command say so once more.
fn confirm(account: AccountId, before: &[Said]) -> Outcome {
    for Said { service, error, tables } in before {
        for Holding { table, rows, .. } in tables.iter().filter(|table| table.is_to_go()) {
            console::say(&format!("{service}\t{table}\t{}", rows.unwrap_or_default()));
        }
        if let Some(error) = error {
            console::say(&format!("{service}\t{error}"));
        }
    }
    console::say("This cannot be undone. To erase the account, type its id:");
    let mut typed = String::new();
    std::io::stdin().lock().read_line(&mut typed)?;
    if typed.trim() == account.as_str() { Ok(()) } else { Err("nothing was erased".into()) }
}

impl Report {
    /// One line for each table: `left`, or `stays` with the day until when.
    fn print(&self) -> Outcome {
        for Said { service, error, tables } in &self.services {
            if let Some(error) = error {
                console::print_line(&format!("unknown\t{service}\t{error}"))?;
            }
            for Holding { table, rows, stays, until, .. } in tables {
                let rows = rows.map_or_else(|| "any".to_owned(), |rows| rows.to_string());
                let until =
                    until.map_or_else(String::new, |until| format!("until {}", until.to_rfc3339_seconds()));
                console::print_line(&match stays {
                    None => format!("left\t{service}\t{table}\t{rows}"),
                    Some(why) => format!("stays\t{service}\t{table}\t{rows}\t{until}\t{why}"),
                })?;
            }
        }
        Ok(())
    }
}
