//! `sealpost admin sms opt-outs`: recipients who want no more messages of a client. The gateway knows them by keyed hashes
//! alone, so they cannot be listed.

use clap::{Args, Subcommand};
use common::models::{E164, UnixMillis};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{Operator, path};
use crate::console::{self, Outcome};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Count those of a client
    Count(Count),
    /// Tell whether a recipient has opted out, and since when
    Find(One),
    /// Opt a recipient out, as a STOP does
    Add(One),
    /// Let a recipient have messages again, as a START does
    Remove(One),
}

#[derive(Args)]
pub(crate) struct Count {
    /// The client
    client: String,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Args)]
pub(crate) struct One {
    /// The client
    client: String,
    /// The recipient's number, in full
    number: E164,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Deserialize)]
struct Counted {
    count: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Standing {
    since: Option<UnixMillis>,
    changed: bool,
    under_way: bool,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, for the person who typed it.
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::Count(Count { client, operator }) => {
                let path = path(&["opt-outs", &client]);
                let Counted { count } = operator.call(Method::GET, &path, &[], |request| request).await?;
                console::print_line(&count.to_string())
            }
            Self::Find(one) => one.treat("find").await,
            Self::Add(one) => one.treat("add").await,
            Self::Remove(one) => one.treat("remove").await,
        }
    }
}

impl One {
    async fn treat(self, verb: &str) -> Outcome {
        let Self { client, number, operator } = self;
        let path = path(&["opt-outs", &client, verb]);
        let Standing { since, changed, under_way } = operator.post(&path, &json!({"number": number})).await?;
        let since =
            since.map_or_else(|| "in".to_owned(), |at| format!("out since {}", at.to_rfc3339_seconds()));
        let changed = if changed { "\tchanged" } else { "" };
        let under_way = if under_way { "\ta message is under way" } else { "" };
        console::print_line(&format!("{client}\t{}\t{since}{changed}{under_way}", number.masked()))
    }
}
