//! `sealpost admin accounts`: who is here, and who is kept out.

mod show;

use clap::{Args, Subcommand};
use common::models::AccountId;
use common::models::operators::{
    AccountSummary, BlockAccount, BlockChanged, BlockReason, FoundAccounts, SearchAccounts,
};
use reqwest::Method;

use super::{Operator, table};
use crate::console::{self, Outcome};
use crate::privacy;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List accounts by name
    List(List),
    /// Find accounts by id, name, verified e-mail address or phone number, or ACCOUNT/DEVICE; or by how a name begins
    Find(Find),
    /// Show what is known of an account: sessions, devices and their keys, what waits, whether it is blocked and why
    Show(Show),
    /// Lock an account out: its sessions end and none begins; what waits for it stays
    Block(Block),
    /// Let an account in again
    Unblock(One),
    #[command(flatten)]
    Owner(Box<privacy::Command>),
}

#[derive(Args)]
pub(crate) struct List {
    /// Blocked accounts alone
    #[arg(long)]
    blocked: bool,
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Args)]
pub(crate) struct Find {
    /// What is known of the account
    query: String,
    /// It is how a name begins, or an account id (8 characters at least)
    #[arg(long)]
    prefix: bool,
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    operator: Operator,
}

/// Which part of a list.
#[derive(Args)]
pub(crate) struct Page {
    /// Accounts at a time, 500 at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
    /// Where the part before has ended, as it has said
    #[arg(long, value_name = "PLACE")]
    after: Option<String>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Show {
    /// Its id, or its name
    account: String,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Args)]
pub(crate) struct Block {
    /// Its id, or its name
    account: String,
    /// Why, for other operators: up to 256 characters
    #[arg(long)]
    reason: BlockReason,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Args)]
pub(crate) struct One {
    /// Its id, or its name
    account: String,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: Operator,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, for the person who typed it.
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::List(List { blocked, page, operator }) => {
                let wanted = SearchAccounts { prefix: true, blocked, ..page.wanted() };
                page.print(&search(&operator, &wanted).await?)
            }
            Self::Find(find) => find.run().await,
            Self::Owner(command) => command.run().await,
            Self::Show(Show { account, json, operator }) => {
                let account = account_id(&operator, &account).await?;
                show::run(&operator, account, json).await
            }
            Self::Block(Block { account, reason, json, operator }) => {
                let account = account_id(&operator, &account).await?;
                let path = block_path(account);
                let with = |request: reqwest::RequestBuilder| request.json(&BlockAccount { reason });
                let told: BlockChanged = operator.call(Method::PUT, &refs(&path), &[], with).await?;
                changed(account, told, json, "blocked")
            }
            Self::Unblock(One { account, json, operator }) => {
                let account = account_id(&operator, &account).await?;
                let path = block_path(account);
                let told = operator.call(Method::DELETE, &refs(&path), &[], |request| request).await?;
                changed(account, told, json, "not blocked")
            }
        }
    }
}

impl Find {
    async fn run(self) -> Outcome {
        let Self { query, prefix, page, operator } = self;
        // Device ids count from 1 in each account, so one alone finds nobody.
        if let Some((account, device)) = query.rsplit_once('/') {
            let account = account_id(&operator, account).await?;
            let devices = super::devices::of_account(&operator, account).await?;
            let known = devices.devices.iter().any(|one| one.device_id.to_string() == device);
            if !known {
                return Err(format!("account {account} has no device {device}").into());
            }
            return show::run(&operator, account, page.json).await;
        }
        let wanted = SearchAccounts { query, prefix, ..page.wanted() };
        page.print(&search(&operator, &wanted).await?)
    }
}

impl Page {
    fn wanted(&self) -> SearchAccounts {
        SearchAccounts { after: self.after.clone(), limit: Some(self.limit), ..SearchAccounts::default() }
    }

    fn print(&self, found: &FoundAccounts) -> Outcome {
        if self.json {
            return console::print_line(&serde_json::to_string_pretty(found)?);
        }
        let row = |one: &AccountSummary| {
            let blocked = one.blocked_at.map_or_else(String::new, |at| at.to_rfc3339_seconds());
            let (id, created) = (one.account_id.to_string(), one.created_at.to_rfc3339_seconds());
            [id, one.username.clone(), one.kind.as_str().to_owned(), created, blocked]
        };
        let rows: Vec<_> = found.accounts.iter().map(row).collect();
        table::print(["account", "name", "kind", "created", "blocked since"], &rows)?;
        if let Some(next) = &found.next {
            console::say(&format!("there are more: --after {next}"));
        }
        Ok(())
    }
}

async fn search(operator: &Operator, wanted: &SearchAccounts) -> Outcome<FoundAccounts> {
    operator.post(&["internal", "auth", "v1", "operators", "accounts", "search"], wanted).await
}

/// The account that somebody has typed: its id, or its name.
///
/// # Errors
/// When there is none, or several may be meant.
pub(super) async fn account_id(operator: &Operator, typed: &str) -> Outcome<AccountId> {
    if let Ok(id) = typed.parse() {
        return Ok(id);
    }
    let wanted = SearchAccounts { query: typed.to_owned(), ..SearchAccounts::default() };
    match &*search(operator, &wanted).await?.accounts {
        [] => Err("no such account".into()),
        [one] => Ok(one.account_id),
        _ => Err("several accounts may be meant: give the id of one (admin accounts find)".into()),
    }
}

fn block_path(account: AccountId) -> Vec<String> {
    ["internal", "auth", "v1", "operators", "accounts", account.as_str(), "block"].map(str::to_owned).into()
}

fn refs(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

fn changed(account: AccountId, told: BlockChanged, json: bool, what: &str) -> Outcome {
    if json {
        return console::print_line(&serde_json::to_string_pretty(&told)?);
    }
    let before = if told.changed { "" } else { ", as before" };
    let sessions = told.sessions_ended;
    console::print_line(&format!("account {account} is {what}{before}; sessions ended: {sessions}"))
}
