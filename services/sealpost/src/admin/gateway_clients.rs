//! `sealpost admin gateway-clients`: who carries SMS between phones and this server.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use common::models::gateway::GatewayCredentials;
use common::models::{GatewayClientId, UnixMillis};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::{Operator, table};
use crate::console::{self, Outcome};
use crate::files;

/// Clients that are read at a time.
const PAGE: &str = "500";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the clients that are not revoked (`sealpost gateway-client register` makes one)
    List(Plain),
    /// Show a client: its number, operators, protocols, when it last handed in an SMS
    Show(One),
    /// Revoke a client: its credentials, its place in the lists, its queues
    Revoke(One),
    /// Give a client another secret
    Rotate(Rotate),
    /// Hand all SMS that were given up to the publisher again
    Revive(Plain),
}

#[derive(Args)]
pub(crate) struct Plain {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Args)]
pub(crate) struct One {
    /// The client
    client: GatewayClientId,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Args)]
pub(crate) struct Rotate {
    /// The client
    client: GatewayClientId,
    /// File for the client's new credentials; it must not exist yet
    #[arg(long, value_name = "FILE", default_value = "gateway-client.json")]
    credentials: PathBuf,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Deserialize)]
struct Listed {
    clients: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Client {
    client_id: GatewayClientId,
    label: Option<String>,
    kind: String,
    operators: Vec<String>,
    created_at: UnixMillis,
    last_published_at: Option<UnixMillis>,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, for the person who typed it.
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::List(Plain { json, operator }) => list(&all(&operator).await?, json),
            Self::Show(One { client, json, operator }) => {
                let is_it = |one: &Value| one["clientId"] == client.as_str();
                let found = all(&operator).await?.into_iter().find(is_it);
                show(&found.ok_or("no such gateway client")?, json)
            }
            Self::Revoke(One { client, json, operator }) => {
                operator.order(Method::DELETE, &["v1", "gateway-clients", client.as_str()]).await?;
                match json {
                    true => console::print_line(r#"{"revoked": true}"#),
                    false => console::print_line(&format!("gateway client {client} is revoked")),
                }
            }
            Self::Rotate(rotate) => rotate.run().await,
            Self::Revive(Plain { json, operator }) => {
                let path = ["internal", "relay", "v1", "incoming", "revive"];
                let told: Value = operator.call(Method::POST, &path, &[], |request| request).await?;
                match json {
                    true => console::print_line(&serde_json::to_string_pretty(&told)?),
                    false => console::print_line(&format!("SMS that are tried again: {}", told["revived"])),
                }
            }
        }
    }
}

impl Rotate {
    async fn run(self) -> Outcome {
        let Self { client, credentials: path, operator } = self;
        if path.exists() {
            let text = "is there already; remove it, or name another file";
            return Err(format!("{}: {text}", path.display()).into());
        }
        let of = ["v1", "gateway-clients", client.as_str(), "rotate"];
        let made: GatewayCredentials = operator.call(Method::POST, &of, &[], |request| request).await?;
        files::create(&path, format!("{}\n", serde_json::to_string(&made)?).as_bytes())
            .map_err(|error| format!("{}: {error}; rotate once more", path.display()))?;
        let until = made.previous_until.map_or_else(
            || "the secret before is void".to_owned(),
            |until| format!("the secret before is taken until {}", until.to_rfc3339_seconds()),
        );
        console::say(&format!("new credentials of client {client}: {}; {until}", path.display()));
        Ok(())
    }
}

async fn all(operator: &Operator) -> Outcome<Vec<Value>> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let after = all.last().and_then(|last| last["clientId"].as_str()).map(str::to_owned);
        let mut query = vec![("limit", PAGE)];
        query.extend(after.as_deref().map(|after| ("after", after)));
        let page: Listed =
            operator.call(Method::GET, &["v1", "gateway-clients"], &query, |request| request).await?;
        if page.clients.is_empty() {
            return Ok(all);
        }
        all.extend(page.clients);
    }
}

fn list(clients: &[Value], json: bool) -> Outcome {
    if json {
        return console::print_line(&serde_json::to_string_pretty(clients)?);
    }
    let mut rows = Vec::with_capacity(clients.len());
    for client in clients {
        let one: Client = serde_json::from_value(client.clone())?;
        rows.push([
            one.client_id.to_string(),
            one.kind,
            one.label.unwrap_or_default(),
            one.operators.join(" "),
            one.created_at.to_rfc3339_seconds(),
            one.last_published_at.map(|at| at.to_rfc3339_seconds()).unwrap_or_default(),
        ]);
    }
    table::print(["client", "kind", "label", "operators", "created", "last SMS"], &rows)
}

fn show(client: &Value, json: bool) -> Outcome {
    if json {
        return console::print_line(&serde_json::to_string_pretty(client)?);
    }
    let fields = client.as_object().into_iter().flatten();
    let text = |name: &str, value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(at) if name.ends_with("At") || name.ends_with("Until") => {
            at.as_i64().map(|at| UnixMillis(at).to_rfc3339_seconds()).unwrap_or_default()
        }
        other => other.to_string(),
    };
    fields.into_iter().try_for_each(|(name, value)| {
        console::print_line(format!("{name:<18}{}", text(name, value)).trim_end())
    })
}
