//! `sealpost admin`: what operators ask of a running server, over its internal listener.

mod sms;

use std::num::{NonZeroU16, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use clients::{Timeouts, http_client};
use common::models::internal::{CreateInvite, CreatedInvite};
use reqwest::{Method, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::console::{self, Outcome};
use crate::remote;

#[derive(Subcommand)]
pub(crate) enum Command {
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
            Self::Invite(command) => console::block_on(command.run()),
            Self::Sms(command) => console::block_on(command.run()),
        }
    }
}

/// Where the server is, and the credential for it.
#[derive(Args)]
pub(crate) struct Operator {
    /// The server's internal address
    #[arg(long, value_name = "URL", env = "SEALPOST_ADMIN_SERVER", default_value = "http://127.0.0.1:9090")]
    server: Url,
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
    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Outcome<T> {
        let file = self.admin_token_file.clone().unwrap_or_else(|| self.data_dir.join("secrets/admin-token"));
        let token = console::read_line(&file)?;
        let client = http_client(Timeouts::default(), self.server.scheme() == "https")?;
        let mut url = self.server.clone();
        url.path_segments_mut()
            .map_err(|()| "--server: a URL that begins with http:// or https:// is expected")?
            .pop_if_empty()
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = with(client.request(method, url).bearer_auth(token.as_str()));
        let answer = request.send().await.map_err(|error| remote::unreachable(&self.server, &error))?;
        if !answer.status().is_success() {
            return Err(remote::refused("server", answer).await);
        }
        Ok(answer.json().await.map_err(reqwest::Error::without_url)?)
    }
}
