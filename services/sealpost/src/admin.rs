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
use crate::{remote, services};

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

/// What stands for the name of a service in an address.
const NAME: &str = "{service}";

/// Where the server is, the credential for it, and who asks.
#[derive(Args)]
pub(crate) struct Operator {
    /// The server's internal address; in a cluster with {service} where the name of each service belongs, such as
    /// http://{service}:9090
    #[arg(long, value_name = "URL", env = "SEALPOST_ADMIN_SERVER", default_value = "http://127.0.0.1:9090", value_parser = server)]
    server: String,
    /// The internal address of a service that is elsewhere, such as keystore=http://keystore:9090; may be given several
    /// times
    #[arg(long, value_name = "SERVICE=URL", value_parser = place)]
    at: Vec<(&'static str, Url)>,
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
        let server = self.server_of(path)?;
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
        let answer = with(request).send().await.map_err(|error| remote::unreachable(&server, &error))?;
        if !answer.status().is_success() {
            return Err(remote::refused("server", answer).await);
        }
        Ok(answer)
    }

    /// Where the service is that has a path. Relay alone has one for operators that does not name it.
    fn server_of(&self, path: &[&str]) -> Outcome<Url> {
        let service = match path {
            ["internal", service, ..] => service,
            _ => "relay",
        };
        match self.at.iter().find(|(name, _)| *name == service) {
            Some((_, own)) => Ok(own.clone()),
            None => Ok(url(&self.server.replace(NAME, service))?),
        }
    }
}

/// Where the server is, wherever its services are.
fn server(text: &str) -> Result<String, String> {
    url(&text.replace(NAME, "service")).map(|_| text.to_owned())
}

fn place(text: &str) -> Result<(&'static str, Url), String> {
    let (name, address) = text.split_once('=').ok_or("expected SERVICE=URL")?;
    let mut names = services::all().into_iter().map(|service| service.name);
    let name = names.find(|service| *service == name).ok_or_else(|| format!("{name} is no service"))?;
    Ok((name, url(address)?))
}

fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{text} is no URL: {error}"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err("a URL that begins with http:// or https:// is expected".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        operator: Operator,
    }

    fn found(arguments: &[&str]) -> Result<[String; 3], clap::Error> {
        let line = Line::try_parse_from([&["x"], arguments].concat())?;
        let paths: [&[&str]; 3] =
            [&["internal", "auth", "v1"], &["internal", "sync", "v1"], &["v1", "gateway-clients"]];
        Ok(paths.map(|path| line.operator.server_of(path).unwrap().to_string()))
    }

    #[test]
    fn all_services_of_a_standalone_are_at_one_address() {
        assert_eq!(found(&[]).unwrap(), ["http://127.0.0.1:9090/"; 3]);
    }

    #[test]
    fn services_of_a_cluster_are_found_by_their_names_and_single_ones_elsewhere() {
        let arguments =
            ["--server", "http://{service}.sealpost.svc:9090", "--at", "sync=https://sync.example"];

        let found = found(&arguments).unwrap();

        let relay = "http://relay.sealpost.svc:9090/";
        assert_eq!(found, ["http://auth.sealpost.svc:9090/", "https://sync.example/", relay]);
    }

    #[test]
    fn what_names_no_service_or_server_is_refused() {
        for wrong in [
            ["--at", "auth"],
            ["--at", "mail=http://x"],
            ["--at", "auth=ftp://x"],
            ["--server", "nowhere"],
            ["--server", "ftp://{service}"],
        ] {
            assert!(found(&wrong).is_err(), "{wrong:?}");
        }
    }
}
