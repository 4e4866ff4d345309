//! `sealpost admin`: what operators ask of a running server, over its internal listener.

mod accounts;
mod api_keys;
mod audit;
mod devices;
mod gateway_clients;
mod queue;
mod sms;
mod table;

use std::num::{NonZeroU16, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use clients::{Timeouts, http_client};
use common::models::internal::{CreateInvite, CreatedInvite};
use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::console::{self, Outcome};
use crate::remote;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Accounts: find them, see how they do, lock them out
    #[command(subcommand)]
    Accounts(accounts::Command),
    /// Devices of an account, and how their keys do
    #[command(subcommand)]
    Devices(devices::Command),
    /// What waits for an account
    #[command(subcommand)]
    Queue(queue::Command),
    /// Who may publish notifications and send SMS with an API key
    #[command(subcommand)]
    ApiKeys(api_keys::Command),
    /// Clients that carry SMS between phones and this server
    #[command(subcommand)]
    GatewayClients(gateway_clients::Command),
    /// Show what operators did, and whether the logs are as they were written
    Audit(audit::Audit),
    /// Make an invite for registration = "invite"; prints its code, which is kept nowhere
    Invite(Invite),
    /// Binds of the SMS gateway, unknown outcomes, a message by the client's id, quotas, the report, opt-outs, the audit log
    #[command(subcommand)]
    Sms(sms::Command),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, for the person who typed it.
    pub(crate) fn run(self) -> Outcome {
        match self {
            Self::Accounts(command) => console::block_on(command.run()),
            Self::Devices(command) => console::block_on(command.run()),
            Self::Queue(command) => console::block_on(command.run()),
            Self::ApiKeys(command) => console::block_on(command.run()),
            Self::GatewayClients(command) => console::block_on(command.run()),
            Self::Audit(command) => console::block_on(command.run()),
            Self::Invite(command) => console::block_on(command.run()),
            Self::Sms(command) => console::block_on(command.run()),
        }
    }
}

/// Where the server is, the credential for it, and who asks.
#[derive(Args)]
pub(crate) struct Operator {
    /// The server's internal address
    #[arg(long, value_name = "URL", env = "SEALPOST_ADMIN_SERVER", default_value = "http://127.0.0.1:9090")]
    server: Url,
    /// The internal address of one service, where it has its own, such as keystore=http://keystore:9090; may be given
    /// several times
    #[arg(long, value_name = "SERVICE=URL", value_parser = place)]
    at: Vec<(String, Url)>,
    /// Who does this, for the audit log
    #[arg(long = "as", value_name = "NAME", env = "SEALPOST_OPERATOR")]
    name: Option<String>,
    /// Data directory of a standalone, where its admin token is
    #[arg(long, value_name = "DIR", env = "SEALPOST_DATA_DIR", default_value = "sealpost-data")]
    data_dir: PathBuf,
    /// File with the admin token, where it is not in a data directory
    #[arg(long, value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Invite {
    /// Accounts that may be made with it
    #[arg(long, default_value = "1")]
    count: NonZeroU16,
    /// How long it can be used, such as 12h or 7d; a year at most
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = humantime::parse_duration)]
    expires: Duration,
    #[command(flatten)]
    operator: Operator,
}

impl Invite {
    async fn run(self) -> Outcome {
        let Self { count, expires, operator } = self;
        let expires_in =
            NonZeroU64::new(expires.as_secs()).ok_or("--expires: a second or more is expected")?;
        let path = ["internal", "auth", "v1", "invites"];
        let made: CreatedInvite = operator.post(&path, &CreateInvite { count, expires_in }).await?;
        console::print_line(&made.code)?;
        console::say(&format!(
            "invite {}: {count} to use until {}",
            made.invite_id,
            made.expires_at.to_rfc3339_seconds()
        ));
        Ok(())
    }
}

impl Operator {
    /// An operator of the server that is there.
    pub(crate) fn at(
        server: Url,
        name: Option<String>,
        data_dir: PathBuf,
        admin_token_file: Option<PathBuf>,
    ) -> Self {
        Self { server, at: Vec::new(), name, data_dir, admin_token_file }
    }

    /// Where the server is.
    #[cfg(test)]
    pub(crate) fn server(&self) -> &Url {
        &self.server
    }

    /// Posts `body` to `path`, and reads the answer.
    ///
    /// # Errors
    /// Why there is none, for the person who typed the command.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &[&str], body: &impl Serialize) -> Outcome<T> {
        self.call(Method::POST, path, &[], |request| request.json(body)).await
    }

    /// Calls `path` with a query, and reads the answer; `with` may add a body.
    ///
    /// # Errors
    /// As [`Operator::post`].
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Outcome<T> {
        let answer = self.answer(method, path, query, with).await?;
        Ok(answer.json().await.map_err(reqwest::Error::without_url)?)
    }

    /// Calls `path`, whose answer says nothing but that it is done.
    ///
    /// # Errors
    /// As [`Operator::post`].
    async fn order(&self, method: Method, path: &[&str]) -> Outcome {
        self.answer(method, path, &[], |request| request).await.map(drop)
    }

    async fn answer(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Outcome<Response> {
        let server = self.server_of(path);
        let file = self.admin_token_file.clone().unwrap_or_else(|| self.data_dir.join("secrets/admin-token"));
        let token = console::read_line(&file)?;
        let client = http_client(Timeouts::default(), server.scheme() == "https")?;
        let mut url = server.clone();
        url.path_segments_mut()
            .map_err(|()| "--server: a URL that begins with http:// or https:// is expected")?
            .pop_if_empty()
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = client.request(method, url).bearer_auth(token.as_str());
        if let Some(name) = &self.name {
            request = request.header("x-operator", name);
        }
        let answer = with(request).send().await.map_err(|error| remote::unreachable(server, &error))?;
        if !answer.status().is_success() {
            return Err(remote::refused("server", answer).await);
        }
        Ok(answer)
    }

    /// Where the service is that has a path. Relay alone has one for operators that does not name it.
    fn server_of(&self, path: &[&str]) -> &Url {
        let service = match path {
            ["internal", service, ..] => service,
            _ => "relay",
        };
        let own = self.at.iter().find(|(name, _)| name == service);
        own.map_or(&self.server, |(_, url)| url)
    }
}

fn place(text: &str) -> Result<(String, Url), String> {
    let (service, url) = text.split_once('=').ok_or("SERVICE=URL is expected")?;
    let url: Url = url.parse().map_err(|error| format!("{service}: {error}"))?;
    Ok((service.to_owned(), url))
}
