//! Accounts and devices, and the calls that most tests begin with.

use std::sync::atomic::{AtomicU32, Ordering};

use common::models::{AccountId, Base64Bytes, DeviceId};
use serde::Deserialize;
use serde_json::{Value, json};
use testkit::http::{Answer, TestClient};
use testkit::signal::{DeviceRegistration, Identity};
use testkit::ws::{Envelope, MessageSocket};

use crate::harness::Front;

/// An account, and what its owner knows.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) account: AccountId,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) identity: Identity,
    pub(crate) front: Front,
}

/// The answer to a login and to a registration of a device.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
    #[serde(default)]
    pub(crate) device_id: Option<DeviceId>,
}

impl Person {
    pub(crate) async fn register(front: &Front) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let username = format!("person.{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let password = format!("secret of {}", uuid::Uuid::new_v4());
        let phone = format!("+25571{:07}", uuid::Uuid::new_v4().as_u128() % 10_000_000);
        front.secrets.keep(&password);
        front.secrets.keep(&phone);
        let body = json!({"username": username, "password": password, "phone": phone});
        let account: Value = front.auth.post("/v1/accounts", &body).await.expect(201).json();
        let account = account["accountId"].as_str().unwrap().parse().unwrap();
        Self { account, username, password, identity: Identity::new(), front: front.clone() }
    }

    /// Registers an account with one device.
    pub(crate) async fn with_device(front: &Front) -> (Self, Device) {
        let person = Self::register(front).await;
        let device = person.device().await;
        (person, device)
    }

    pub(crate) async fn log_in(&self) -> Tokens {
        let body = json!({"username": self.username, "password": self.password});
        let tokens: Tokens = self.front.auth.post("/v1/sessions", &body).await.expect(201).json();
        self.front.secrets.keep(&tokens.access_token);
        self.front.secrets.keep(&tokens.refresh_token);
        tokens
    }

    /// Logs in and registers a new device.
    pub(crate) async fn device(&self) -> Device {
        self.register_device(&DeviceRegistration::new(&self.identity)).await
    }

    pub(crate) async fn register_device(&self, registration: &DeviceRegistration) -> Device {
        let session = self.log_in().await;
        let keystore = self.front.keystore.with_token(session.access_token);
        let tokens: Tokens = keystore.post("/v1/devices", registration).await.expect(201).json();
        self.front.secrets.keep(&tokens.access_token);
        self.front.secrets.keep(&tokens.refresh_token);
        Device {
            account: self.account,
            id: tokens.device_id.unwrap(),
            registration_id: registration.registration_id,
            token: tokens.access_token,
            front: self.front.clone(),
        }
    }

    pub(crate) async fn delete(&self) {
        self.delete_with(&self.log_in().await.access_token).await;
    }

    pub(crate) async fn delete_with(&self, token: &str) {
        let auth = self.front.auth.with_token(token);
        let body = json!({"password": self.password});
        auth.send(auth.request(reqwest::Method::DELETE, "/v1/accounts/current").json(&body))
            .await
            .assert_status(204);
    }
}

/// A device that is registered, with a session bound to it.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) account: AccountId,
    pub(crate) id: DeviceId,
    pub(crate) registration_id: i64,
    pub(crate) token: String,
    pub(crate) front: Front,
}

impl Device {
    /// The same device, as a client of other processes.
    pub(crate) fn at(&self, front: &Front) -> Self {
        Self { front: front.clone(), ..self.clone() }
    }

    pub(crate) fn mailbox(&self) -> TestClient {
        self.front.mailbox.with_token(&self.token)
    }

    pub(crate) fn keystore(&self) -> TestClient {
        self.front.keystore.with_token(&self.token)
    }

    pub(crate) async fn socket(&self) -> MessageSocket {
        MessageSocket::connect(&self.front.mailbox_url, &self.token).await
    }

    /// The bundles of all devices of `account`.
    pub(crate) async fn bundle(&self, account: AccountId) -> Value {
        self.keystore().get(&format!("/v1/keys/{account}/*")).await.expect(200).value()
    }

    /// Sends `text` to `devices` of one account, under a key of its own.
    pub(crate) async fn send(&self, devices: &[&Device], text: &str) -> Answer {
        self.front.secrets.keep(text);
        self.front.secrets.keep(&Base64Bytes(text.as_bytes().to_vec()).to_string());
        let key = uuid::Uuid::new_v4().to_string();
        let account = devices[0].account;
        let targets: Vec<Target> = devices.iter().map(|device| Target::of(device)).collect();
        self.put(account, &body(&targets, text), &key).await
    }

    /// Sends a body under a key.
    pub(crate) async fn put(&self, account: AccountId, body: &Value, key: &str) -> Answer {
        let mailbox = self.mailbox();
        let request = mailbox.request(reqwest::Method::PUT, &format!("/v1/messages/{account}"));
        mailbox.send(request.header("idempotency-key", key).json(body)).await
    }

    /// What waits for this device, without waiting for more.
    pub(crate) async fn waiting(&self) -> Vec<Envelope> {
        #[derive(Deserialize)]
        struct Page {
            messages: Vec<Envelope>,
        }
        self.mailbox().get("/v1/messages").await.expect(200).json::<Page>().messages
    }
}

/// One device that a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) device: DeviceId,
    pub(crate) registration_id: i64,
}

impl Target {
    pub(crate) fn of(device: &Device) -> Self {
        Self { device: device.id, registration_id: device.registration_id }
    }
}

/// The body of a send with the same `text` for each target: to the server it is ciphertext.
pub(crate) fn body(targets: &[Target], text: &str) -> Value {
    let content = Base64Bytes(text.as_bytes().to_vec());
    let copies = targets.iter().map(|target| {
        json!({
            "destinationDeviceId": target.device,
            "destinationRegistrationId": target.registration_id,
            "type": 1,
            "content": content,
        })
    });
    json!({"messages": copies.collect::<Vec<_>>(), "timestamp": 1_767_225_600_000_i64})
}

/// An envelope's content as the text that was sent.
pub(crate) fn text(envelope: &Envelope) -> String {
    String::from_utf8(envelope.content.0.clone()).unwrap()
}
