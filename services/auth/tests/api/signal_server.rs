//! `/auth`: accounts as clients of signal_server know them. Here are that project's own tests of accounts, in the form
//! of its first README; what they leave out is in the modules.

mod credentials;
mod deletion;
mod password_rules;
mod reset;
mod throttles;
mod tokens;
mod users;
mod wire;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::http::Answer;
use testkit::on_both;

use crate::harness::Auth;

/// A password that keeps the rules.
pub(crate) const SECRET: &str = "xK9!mPq2";

impl Auth {
    /// Sends any request of a client of signal_server.
    async fn s(&self, method: Method, path: &str, token: Option<&str>, body: &Value) -> Answer {
        let mut request = self.host.http.request(method, path).json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        self.host.http.send(request).await
    }

    async fn s_post(&self, path: &str, token: Option<&str>, body: &Value) -> Answer {
        self.s(Method::POST, path, token, body).await
    }

    pub(crate) async fn s_get(&self, path: &str, token: &str) -> Answer {
        self.s(Method::GET, path, Some(token), &Value::Null).await
    }

    async fn sign_up(&self, username: &str) -> Answer {
        self.s_post("/auth/users/", None, &json!({"username": username, "password": SECRET})).await
    }

    pub(crate) async fn s_log_in(&self, username: &str, password: &str) -> Answer {
        self.s_post("/auth/jwt/create/", None, &json!({"username": username, "password": password})).await
    }

    /// A token of a user that exists.
    async fn s_token(&self, username: &str) -> String {
        let answer = self.s_log_in(username, SECRET).await.expect(200).value();
        answer["token"].as_str().unwrap().to_owned()
    }

    /// A token of a user that is made.
    pub(crate) async fn s_user(&self, username: &str) -> String {
        self.sign_up(username).await.assert_status(201);
        self.s_token(username).await
    }
}

/// The 400 with texts for exactly these fields.
#[track_caller]
fn assert_fields(answer: &Answer, names: &[&str]) {
    answer.assert_status(400);
    let body = answer.value();
    let fields = body.as_object().unwrap();
    assert_eq!(fields.keys().collect::<Vec<_>>(), names, "{body}");
    for texts in fields.values() {
        assert!(
            texts.as_array().is_some_and(|texts| texts.iter().all(Value::is_string) && !texts.is_empty()),
            "{body}"
        );
    }
}

/// An answer with a `detail` and nothing else.
#[track_caller]
fn assert_detail(answer: &Answer, status: u16) {
    answer.assert_status(status);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let body = answer.value();
    assert!(body["detail"].is_string() && body.as_object().unwrap().len() == 1, "{body}");
}

/// The 401 of every reason.
#[track_caller]
fn assert_unauthorized(answer: &Answer) {
    assert_detail(answer, 401);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"api\""));
}

on_both! {
    async fn sign_up(db: TestDb) {
        let auth = Auth::start(&db).await;

        let body = json!({"username": "test_user", "email": "test@test.com", "password": SECRET});
        let made = auth.s_post("/auth/users/", None, &body).await.expect(201).value();

        assert!(made["id"].is_i64());
        assert_eq!(made, json!({"email": "test@test.com", "username": "test_user", "id": made["id"]}));
    }

    async fn log_in(db: TestDb) {
        let auth = Auth::start(&db).await;
        auth.sign_up("test_user").await.assert_status(201);

        let answer = auth.s_log_in("test_user", SECRET).await.expect(200).value();

        assert_eq!(answer.as_object().unwrap().keys().collect::<Vec<_>>(), ["token"]);
        auth.s_get("/auth/users/me/", answer["token"].as_str().unwrap()).await.assert_status(200);
    }

    async fn user_delete(db: TestDb) {
        let auth = Auth::start(&db).await;
        let token = auth.s_user("test_user").await;

        let body = json!({"current_password": SECRET});
        let answer = auth.s(Method::DELETE, "/auth/users/me/", Some(&token), &body).await.expect(204);

        assert_eq!(answer.text(), "");
        assert_fields(&auth.s_log_in("test_user", SECRET).await, &["non_field_errors"]);
    }
}
