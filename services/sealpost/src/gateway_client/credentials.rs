//! The file with a client's id and secret, and what is called with them.

use std::path::PathBuf;

use clap::Args;
use clients::{Timeouts, http_client};
use common::models::gateway::GatewayCredentials;
use reqwest::Response;
use serde::Serialize;
use url::Url;

use crate::console::{self, Outcome};
use crate::remote;

/// Where the credentials are.
#[derive(Args)]
pub(super) struct File {
    /// File with the client's credentials, as `register` writes it
    #[arg(long, value_name = "FILE", default_value = "gateway-client.json")]
    pub(super) credentials: PathBuf,
}

impl File {
    /// Reads the credentials.
    ///
    /// # Errors
    /// When there are none.
    pub(super) fn read(&self) -> Outcome<GatewayCredentials> {
        let bytes = console::read(&self.credentials)?;
        // The words of the parser may quote the file.
        serde_json::from_slice(&bytes).map_err(|_| {
            format!("{}: not the credentials of a gateway client", self.credentials.display()).into()
        })
    }
}

/// A relay, and who calls it.
#[derive(Args)]
pub(super) struct Relay {
    /// The server's public address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    server: Url,
    #[command(flatten)]
    file: File,
}

/// A relay, as a client calls it.
pub(super) struct Caller {
    server: Url,
    credentials: GatewayCredentials,
    client: reqwest::Client,
}

impl Relay {
    /// Reads the credentials and gets ready to call.
    ///
    /// # Errors
    /// When there are none, or the address is none.
    pub(super) fn caller(self) -> Outcome<Caller> {
        let Self { server, file } = self;
        if !matches!(server.scheme(), "http" | "https") {
            return Err("--server: a URL that begins with http:// or https:// is expected".into());
        }
        let client = http_client(Timeouts::default(), server.scheme() == "https")?;
        Ok(Caller { credentials: file.read()?, client, server })
    }
}

impl Caller {
    /// Posts `body` to `path`; gives the answer, whatever it is.
    ///
    /// # Errors
    /// When there is no answer.
    pub(super) async fn post(&self, path: &[&str], body: &impl Serialize) -> Outcome<Response> {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let GatewayCredentials { client_id, secret, .. } = &self.credentials;
        let request = self.client.post(url).basic_auth(client_id, Some(secret)).json(body);
        request.send().await.map_err(|error| remote::unreachable(&self.server, &error))
    }
}

/// What an answer says, where it is a yes.
///
/// # Errors
/// What it says otherwise.
pub(super) async fn accepted(answer: Response) -> Outcome<String> {
    let status = answer.status();
    let text = answer.text().await.map_err(reqwest::Error::without_url)?;
    if status.is_success() {
        Ok(text)
    } else {
        Err(format!("the server answered {}: {text}", status.as_u16()).into())
    }
}
