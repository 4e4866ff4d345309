//! `sealpost admin sms`: the SMS gateway as its operators see it, over the internal listener.

mod opt_outs;
mod quota;
mod report;

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use common::models::UnixMillis;
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Operator, audit};
use crate::console::{self, Outcome};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show the SMSCs and providers, how their binds do, and what waits for them
    Binds(Plain),
    /// Submit nothing more through an SMSC, until `resume`; its bind stays, for responses and receipts
    Pause(Bind),
    /// Submit nothing more through an SMSC, wait for its responses, and end its bind, until `resume`
    Drain(Bind),
    /// Submit through an SMSC again
    Resume(Bind),
    /// List messages of which nobody knows whether they were sent
    Unknown(Unknown),
    /// Show what became of a message, by the client's id
    Find(Find),
    /// Show how much clients may send a day and a month, and have sent
    Quota(Plain),
    /// Count what became of messages, by client and day
    Report(report::Report),
    /// Count, find, add or remove recipients who want no more messages of a client
    #[command(subcommand)]
    OptOuts(opt_outs::Command),
    /// Read the vault and the certificates anew, and say what needs a restart
    Reload(Plain),
    /// Show what operators did, and whether the log is as it was written
    Audit(Plain),
}

#[derive(Args)]
pub(crate) struct Plain {
    #[command(flatten)]
    operator: Operator,
}

#[derive(Args)]
pub(crate) struct Bind {
    /// Its name in the settings
    smsc: String,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Args)]
pub(crate) struct Unknown {
    /// Of this client alone
    #[arg(long)]
    client: Option<String>,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Args)]
pub(crate) struct Find {
    /// The client
    client: String,
    /// Its id of the request
    correl_id: String,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BindView {
    smsc: String,
    order: String,
    state: String,
    error: Option<String>,
    receiver: Option<WayView>,
    in_flight: usize,
    queued: usize,
    window: usize,
    rate: Option<f64>,
    throttling: bool,
}

/// The bind that receipts come by, where that is one of its own.
#[derive(Deserialize)]
struct WayView {
    state: String,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attempt {
    client_id: String,
    correl_id: String,
    id: String,
    state: String,
    smsc: Option<String>,
    segments: i32,
    updated_at: UnixMillis,
}

#[derive(Deserialize)]
struct UnknownPage {
    attempts: Vec<Attempt>,
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reloaded {
    vault: String,
    certificates: BTreeMap<String, String>,
    needs_restart: String,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, for the person who typed it.
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::Binds(Plain { operator }) => {
                let binds: Vec<BindView> = operator.get("binds", &[]).await?;
                binds.iter().try_for_each(show)
            }
            Self::Pause(bind) => bind.order("paused").await,
            Self::Drain(bind) => bind.order("drained").await,
            Self::Resume(bind) => bind.order("open").await,
            Self::Unknown(command) => command.run().await,
            Self::Find(Find { client, correl_id, operator }) => {
                let query = [("client", client.as_str()), ("correl-id", correl_id.as_str())];
                let found: Value = operator.get("attempts", &query).await?;
                console::print_line(&serde_json::to_string_pretty(&found)?)
            }
            Self::Quota(plain) => quota::run(plain).await,
            Self::Report(command) => command.run().await,
            Self::OptOuts(command) => command.run().await,
            Self::Reload(Plain { operator }) => {
                let Reloaded { vault, certificates, needs_restart } =
                    operator.call(Method::POST, &path(&["reload"]), &[], |request| request).await?;
                console::print_line(&format!("vault\t{vault}"))?;
                for (smsc, read) in certificates {
                    console::print_line(&format!("certificates\t{smsc}\t{read}"))?;
                }
                console::say(&format!("not read before a restart: {needs_restart}"));
                Ok(())
            }
            Self::Audit(Plain { operator }) => audit::print_one(&operator, "sms-gateway").await,
        }
    }
}

/// The gateway's own part of the internal listener.
fn path<'a>(behind: &[&'a str]) -> Vec<&'a str> {
    [&["internal", "sms-gateway", "v1"], behind].concat()
}

impl Operator {
    async fn get<T: DeserializeOwned>(&self, what: &str, query: &[(&str, &str)]) -> Outcome<T> {
        self.call(Method::GET, &path(&[what]), query, |request| request).await
    }
}

impl Bind {
    async fn order(self, order: &str) -> Outcome {
        let body = json!({"order": order});
        let path = path(&["binds", &self.smsc]);
        let bind: BindView =
            self.operator.call(Method::PUT, &path, &[], |request| request.json(&body)).await?;
        show(&bind)
    }
}

fn show(bind: &BindView) -> Outcome {
    let BindView { smsc, order, state, in_flight, queued, window, .. } = bind;
    let rate = bind.rate.map(|rate| format!("\tat most {rate:.1} a second")).unwrap_or_default();
    let throttling = if bind.throttling { "\tthrottling" } else { "" };
    let why = |error: &Option<String>| error.as_ref().map(|error| format!("\t{error}")).unwrap_or_default();
    let error = why(&bind.error);
    console::print_line(&format!(
        "{smsc}\t{order}\t{state}\twindow {in_flight} of {window}\tqueued {queued}{rate}{throttling}{error}"
    ))?;
    match &bind.receiver {
        Some(WayView { state, error }) => {
            console::print_line(&format!("{smsc}\t{order}\t{state}\tfor receipts{}", why(error)))
        }
        None => Ok(()),
    }
}

impl Unknown {
    async fn run(self) -> Outcome {
        let mut after = String::new();
        loop {
            let mut query = vec![("after", after.as_str())];
            query.extend(self.client.as_deref().map(|client| ("client", client)));
            let page: UnknownPage = self.operator.get("unknown", &query).await?;
            for one in &page.attempts {
                let Attempt { client_id, correl_id, id, state, segments, .. } = one;
                let (smsc, at) =
                    (one.smsc.as_deref().unwrap_or_default(), one.updated_at.to_rfc3339_seconds());
                console::print_line(&format!(
                    "{at}\t{client_id}\t{correl_id}\t{id}\t{state}\t{smsc}\t{segments}"
                ))?;
            }
            match page.next {
                Some(next) => after = next,
                None => return Ok(()),
            }
        }
    }
}
