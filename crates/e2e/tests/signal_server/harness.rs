//! A server, and users who know it by the interface of signal_server alone.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::http::{Answer, TestClient};
use testkit::signal::{Identity, PreKey};

/// What every user here has chosen.
pub(crate) const PASSWORD: &str = "quite-a-mouthful-7";

pub(crate) use crate::server::Server;

impl Server {
    /// A user without a device.
    pub(crate) async fn user(&self, username: &str) -> User {
        User::sign_up(&self.host.http, username).await
    }

    /// Users 1234 and 5678, each with a device and a prekey: upstream's own setting.
    pub(crate) async fn pair(&self) -> (User, User) {
        let (mut alice, mut bob) = (self.user("alice").await, self.user("bob").await);
        alice.register(1234, 1).await;
        bob.register(5678, 1).await;
        (alice, bob)
    }

    /// Somebody without a token.
    pub(crate) fn nobody(&self) -> &TestClient {
        &self.host.http
    }
}

/// A user, as a client has it.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) client: TestClient,
    pub(crate) username: String,
    pub(crate) identity: Identity,
    /// Of the device registered last.
    pub(crate) registration_id: i64,
}

impl User {
    pub(crate) async fn sign_up(http: &TestClient, username: &str) -> Self {
        let body = json!({"username": username, "password": PASSWORD});
        http.post("/auth/users/", &body).await.assert_status(201);
        Self {
            client: http.with_token(log_in(http, username).await),
            username: username.to_owned(),
            identity: Identity::new(),
            registration_id: 0,
        }
    }

    /// Registers a device with `prekeys` fresh prekeys, numbered from 1.
    pub(crate) async fn register(&mut self, registration_id: i64, prekeys: i64) {
        self.registration_id = registration_id;
        let device = self.device(registration_id, prekeys);
        self.client.post("/device/", &device).await.assert_status(201);
    }

    /// The body that does so.
    pub(crate) fn device(&self, registration_id: i64, prekeys: i64) -> Value {
        let prekeys: Vec<PreKey> = (1..=prekeys).map(PreKey::new).collect();
        json!({
            "address": format!("{}.1", self.username),
            "identityKey": self.identity.public_key(),
            "registrationId": registration_id,
            "preKeys": prekeys,
            "signedPreKey": self.identity.signed_pre_key(1),
        })
    }

    /// A path of the user's own.
    pub(crate) fn own(&self, prefix: &str) -> String {
        format!("/{prefix}/{}/", self.registration_id)
    }

    pub(crate) async fn fetch(&self, username: &str) -> Answer {
        self.client.get(&self.own(&format!("prekeybundle/{username}"))).await
    }

    pub(crate) async fn send(&self, to: &User, content: &str) -> Answer {
        let message = message(to.registration_id, content);
        self.post("messages", &json!({"recipient": to.username, "message": message})).await
    }

    pub(crate) async fn post(&self, prefix: &str, body: &Value) -> Answer {
        self.client.post(&self.own(prefix), body).await
    }

    /// All that waits.
    pub(crate) async fn messages(&self) -> Vec<Value> {
        self.client.get(&self.own("messages")).await.expect(200).json()
    }

    pub(crate) async fn delete(&self, ids: &Value) -> Answer {
        let request = self.client.request(Method::DELETE, &self.own("messages")).json(ids);
        self.client.send(request).await
    }

    /// Deletes the account, as its clients do.
    pub(crate) async fn delete_account(&self) {
        let request = self.client.request(Method::DELETE, "/auth/users/me/");
        let body = json!({"current_password": PASSWORD});
        self.client.send(request.json(&body)).await.assert_status(204);
    }
}

/// A token.
pub(crate) async fn log_in(http: &TestClient, username: &str) -> String {
    let body = json!({"username": username, "password": PASSWORD});
    let token = http.post("/auth/jwt/create/", &body).await.expect(200).value();
    token["token"].as_str().unwrap().to_owned()
}

/// A message for a device, as a text.
pub(crate) fn message(registration_id: i64, content: &str) -> String {
    json!({"registrationId": registration_id, "content": content}).to_string()
}

/// A coded answer, with its text.
pub(crate) fn assert_coded(answer: &Answer, status: u16, code: &str, message: &str) {
    assert_eq!((answer.status.as_u16(), answer.value()), (status, json!({"code": code, "message": message})));
}

pub(crate) fn assert_no_device(answer: &Answer) {
    assert_coded(answer, 400, "no_device", "User has not yet registered a device");
}

pub(crate) fn assert_no_recipient_device(answer: &Answer) {
    assert_coded(answer, 400, "no_device", "Recipient has not yet registered a device");
}

pub(crate) fn assert_no_recipient(answer: &Answer) {
    assert_coded(answer, 400, "no_recipient", "One of the messages you sent has a non-existent user");
}

pub(crate) fn assert_device_changed(answer: &Answer) {
    assert_coded(answer, 403, "device_changed", "Own device has changed");
}

pub(crate) fn assert_identity_changed(answer: &Answer) {
    assert_coded(answer, 403, "recipient_identity_changed", "Recipients device has changed");
}

pub(crate) fn assert_incorrect(answer: &Answer) {
    let text = "Incorrect arguments were provided to the API call";
    assert_coded(answer, 403, "incorrect_arguments", text);
}

pub(crate) fn assert_no_prekeys(answer: &Answer) {
    let text = "No prekeys are available for the requested device";
    assert_coded(answer, 400, "no_prekeys", text);
}

/// Fields that break their rules; gives what is wrong.
pub(crate) fn assert_invalid(answer: &Answer) -> Value {
    let mut body = answer.value();
    let errors = body["errors"].take();
    assert_eq!(answer.status.as_u16(), 400, "{body}");
    assert_eq!(body, json!({"code": "invalid_data", "message": "Invalid data provided", "errors": null}));
    assert!(errors.is_object(), "{errors}");
    errors
}

/// A refusal in the form of the framework.
pub(crate) fn assert_detail(answer: &Answer, status: u16) {
    answer.assert_status(status);
    assert!(answer.value()["detail"].is_string(), "{}", answer.text());
}
