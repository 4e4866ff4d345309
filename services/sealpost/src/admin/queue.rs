//! `sealpost admin queue`: how much waits for an account, and for how long. Never what it is.

use clap::{Args, Subcommand};
use common::models::AccountId;
use common::models::operators::{Queue, Queues};
use reqwest::Method;

use super::accounts::account_id;
use super::{Operator, table};
use crate::console::{self, Outcome};

/// The heads of [`row`].
pub(super) const HEADS: [&str; 5] = ["device", "kind", "envelopes wait", "bytes", "oldest of"];

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show how many envelopes wait for each device of an account, their size and when the oldest came
    Show(Show),
}

#[derive(Args)]
pub(crate) struct Show {
    /// The account's id, or its name
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
        let Self::Show(Show { account, json, operator }) = self;
        let account = account_id(&operator, &account).await?;
        let found = of_account(&operator, account).await?;
        if json {
            return console::print_line(&serde_json::to_string_pretty(&found)?);
        }
        table::print(HEADS, &found.queues.iter().map(row).collect::<Vec<_>>())
    }
}

/// What waits for an account.
///
/// # Errors
/// Why it cannot be told.
pub(super) async fn of_account(operator: &Operator, account: AccountId) -> Outcome<Queues> {
    let path = ["internal", "mailbox", "v1", "operators", "accounts", account.as_str(), "queues"];
    operator.call(Method::GET, &path, &[], |request| request).await
}

/// A line of the table.
pub(super) fn row(queue: &Queue) -> [String; 5] {
    [
        queue.device_id.map_or_else(|| "inbox".to_owned(), |device| device.to_string()),
        queue.kind.as_str().to_owned(),
        queue.count.to_string(),
        queue.bytes.to_string(),
        queue.oldest_at.map(|at| at.to_rfc3339_seconds()).unwrap_or_default(),
    ]
}
