//! A server, and users who know it by the interface of Woosh alone.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::http::{Answer, TestClient};

pub(crate) use crate::server::Server;

impl Server {
    pub(crate) async fn user(&self, username: &str) -> User {
        User::register(&self.host.http, username).await
    }

    /// Somebody without credentials.
    pub(crate) fn nobody(&self) -> User {
        User { http: self.host.http.clone(), username: String::new(), credentials: None }
    }
}

/// A user, as a client has it.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) http: TestClient,
    pub(crate) username: String,
    pub(crate) credentials: Option<(String, String)>,
}

/// What upstream's own tests register with.
pub(crate) fn registration(username: &str) -> Value {
    json!({"username": username, "password": "s3cr3", "public_key": format!("{username}-public"),
        "private_key": format!("{username}-private")})
}

impl User {
    pub(crate) async fn register(http: &TestClient, username: &str) -> Self {
        let body = registration(username);
        http.post("/users", &body).await.assert_status(201);
        Self {
            http: http.clone(),
            username: username.to_owned(),
            credentials: Some((username.to_owned(), "s3cr3".to_owned())),
        }
    }

    /// The same name with another password.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { credentials: Some((self.username.clone(), token.to_owned())), ..self.clone() }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: &str) -> Answer {
        let mut request = self.http.request(method, path).body(body.to_owned());
        if let Some((username, token)) = &self.credentials {
            request = request.header("x-user-name", username).header("x-user-token", token);
        }
        self.http.send(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, &body.to_string()).await
    }

    pub(crate) async fn send(&self, to: &str, contents: &str) -> Answer {
        self.post("/messages", &json!({"recipient": to, "contents": contents})).await
    }

    /// What a poll gives: query_time and messages.
    pub(crate) async fn poll(&self) -> (i64, Vec<Value>) {
        let polled = self.get("/messages").await.expect(200).value();
        (polled["query_time"].as_i64().unwrap(), polled["messages"].as_array().unwrap().clone())
    }

    /// The contents of a poll, in the order in which they come.
    pub(crate) async fn contents(&self) -> Vec<String> {
        let (_, messages) = self.poll().await;
        messages.iter().map(|message| message["contents"].as_str().unwrap().to_owned()).collect()
    }

    /// Removes; gives how many.
    pub(crate) async fn delete_until(&self, until: i64) -> i64 {
        let deleted =
            self.call(Method::DELETE, &format!("/messages?until={until}"), "").await.expect(200).value();
        assert_eq!(deleted["result"], "success");
        deleted["deleted"].as_i64().unwrap()
    }
}

pub(crate) fn error(status: u16, message: &str) -> Value {
    json!({"status": status, "message": message})
}

/// An answer in the one form that errors have.
pub(crate) fn assert_refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!((answer.status.as_u16(), answer.value()), (status, error(status, message)));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}
