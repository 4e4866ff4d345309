//! How a call is made: time limits, few repetitions, credential, ids of the request.

use std::time::Duration;

use common::crypto::Secret;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use telemetry::{RequestContext, RequestId, TraceContext};
use url::Url;

use crate::dispatch::Dispatch;
use crate::error::ClientError;

/// No internal answer is larger; a longer one is not ours.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// How often a call that may be repeated is made at most.
const ATTEMPTS: u32 = 3;

/// The pause before the second attempt; doubled before the third.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// To make a connection.
    pub connect: Duration,
    /// From the first byte sent to the last byte of the answer, for each attempt.
    pub request: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(1), request: Duration::from_secs(5) }
    }
}

/// Makes the HTTP client of a process; clones share its connections. It follows no redirects and uses no proxy, since
/// its requests carry the internal token. `tls` says whether any URL to be called is `https`: only then are the
/// system's roots loaded, which a minimal container may not have.
///
/// # Errors
/// [`ClientError::Settings`] when TLS cannot be set up.
pub fn http_client(timeouts: Timeouts, tls: bool) -> Result<Client, ClientError> {
    // An error means that a provider is installed already, by another part of the process; it is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .connect_timeout(timeouts.connect)
        .timeout(timeouts.request)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    let builder = if tls { builder } else { builder.tls_certs_only([]) };
    builder.build().map_err(|error| ClientError::Settings(error.to_string()))
}

/// One service as seen from the others: its internal listener and the credential for it. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Peer {
    service: &'static str,
    base: Url,
    token: Secret<String>,
    http: Client,
    dispatch: Dispatch,
}

impl Peer {
    /// Makes a peer named `service` behind the internal base URL `base`, such as `http://auth:9090`. Its calls go out from the
    /// runtime of the caller.
    ///
    /// # Errors
    /// [`ClientError::Settings`] for a URL that can have no path, such as `mailto:`.
    pub fn new(
        service: &'static str,
        base: Url,
        token: Secret<String>,
        http: Client,
    ) -> Result<Self, ClientError> {
        if base.cannot_be_a_base() {
            return Err(ClientError::Settings(format!(
                "the URL of {service} must begin with http:// or https://"
            )));
        }
        Ok(Self { service, base, token, http, dispatch: Dispatch::here() })
    }

    /// The name of the service.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// The address of `path`: its segments are escaped, so that none can become two.
    pub(crate) fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    /// A request with the credential.
    pub(crate) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.http.request(method, url).bearer_auth(self.token.expose())
    }

    /// A request without it, for what is public.
    pub(crate) fn public(&self, url: Url) -> RequestBuilder {
        self.http.get(url)
    }

    /// Sends once.
    pub(crate) async fn once(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = self.dispatch.send(with_ids(request)).await;
        let response = response.map_err(|error| ClientError::transport(self.service, error.without_url()))?;
        self.accept(response).await
    }

    /// Sends what may be repeated, again after a transport failure or an answer that says "later".
    pub(crate) async fn repeat(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            let Some(attempt) = request.try_clone() else { break };
            match self.once(attempt).await {
                Err(error @ ClientError::Unavailable { .. }) => {
                    tracing::debug!(service = self.service, %error, "internal call failed, trying again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                answer => return answer,
            }
        }
        self.once(request).await
    }

    /// Reads the body of an accepted answer.
    pub(crate) async fn json<T: DeserializeOwned>(&self, response: Response) -> Result<T, ClientError> {
        let body = self.body(response).await?;
        serde_json::from_slice(&body).map_err(|error| ClientError::BadAnswer {
            service: self.service,
            // The place only: serde's words may quote the body.
            reason: format!("line {}, column {}", error.line(), error.column()),
        })
    }

    async fn accept(&self, response: Response) -> Result<Response, ClientError> {
        let service = self.service;
        let status = response.status();
        match status {
            _ if status.is_success() => Ok(response),
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => {
                Err(ClientError::Unavailable { service, source: None })
            }
            StatusCode::GATEWAY_TIMEOUT => Err(ClientError::Timeout { service }),
            _ if status.is_client_error() || status.is_server_error() => {
                let body = self.body(response).await?;
                let problem = serde_json::from_slice(&body).ok().map(Box::new);
                Err(ClientError::Refused { service, status: status.as_u16(), problem })
            }
            _ => Err(ClientError::BadAnswer { service, reason: format!("status {}", status.as_u16()) }),
        }
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, ClientError> {
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| ClientError::transport(self.service, error.without_url()))?
        {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(ClientError::BadAnswer { service: self.service, reason: "too long".to_owned() });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Forwards the ids of the request that this task works on, or starts a trace.
fn with_ids(request: RequestBuilder) -> RequestBuilder {
    match RequestContext::current() {
        Some(context) => request
            .header(RequestId::HEADER, context.request.as_str())
            .header(TraceContext::HEADER, context.trace.child().to_string()),
        None => request.header(TraceContext::HEADER, TraceContext::random().to_string()),
    }
}
