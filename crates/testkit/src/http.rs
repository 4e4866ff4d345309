//! A small HTTP client for tests: a base URL, perhaps a bearer token, and answers read at once.

use common::models::Problem;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Sends requests to one listener.
#[derive(Clone, Debug)]
pub struct TestClient {
    base: String,
    token: Option<String>,
    http: Client,
}

impl TestClient {
    /// Makes a client of `base`, such as `http://127.0.0.1:41234`.
    #[must_use]
    pub fn new(base: impl Into<String>) -> Self {
        let http = clients::http_client(
            clients::Timeouts { request: crate::wait::DEADLINE, ..Default::default() },
            false,
        )
        .expect("a client without TLS roots can always be made");
        Self { base: base.into().trim_end_matches('/').to_owned(), token: None, http }
    }

    /// The same client with a bearer token: an access token, or the internal credential.
    #[must_use]
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// Sends `GET path`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// Sends `DELETE path`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Sends `POST path` with a JSON body.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// Sends `PUT path` with a JSON body.
    pub async fn put(&self, path: &str, body: &impl Serialize) -> Answer {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    /// Begins any other request; give it to [`TestClient::send`].
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.bytes().await.expect("the whole body").to_vec() }
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Checks the status, and gives the answer back.
    ///
    /// # Panics
    /// When the status is another; the message shows the body.
    #[must_use = "read the answer, or use `assert_status`"]
    pub fn expect(self, status: u16) -> Self {
        self.assert_status(status);
        self
    }

    /// Checks the status.
    ///
    /// # Panics
    /// When the status is another; the message shows the body.
    pub fn assert_status(&self, status: u16) {
        assert_eq!(self.status.as_u16(), status, "body: {}", self.text());
    }

    /// Reads the body as JSON.
    ///
    /// # Panics
    /// When it is not `T`.
    #[must_use]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in: {}", self.text()))
    }

    /// Reads the body as any JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    pub fn value(&self) -> Value {
        self.json()
    }

    /// Reads the body as a problem, and checks that status and media type say the same.
    ///
    /// # Panics
    /// When it is not a problem in order.
    #[must_use]
    pub fn problem(&self) -> Problem {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "body: {}", self.text());
        let problem: Problem = self.json();
        assert_eq!(problem.status, self.status.as_u16());
        problem
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
