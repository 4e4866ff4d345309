//! A device of an account of its own, and a message for it.

use serde::Deserialize;
use serde_json::{Value, json};
use testkit::http::TestClient;
use testkit::signal::{DeviceRegistration, Identity};

use common::models::Base64Bytes;

pub(crate) const PASSWORD: &str = "a password of some length";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tokens {
    access_token: String,
    #[serde(default)]
    device_id: Option<u8>,
}

/// A device that is registered.
pub(crate) struct Device {
    pub(crate) account: String,
    /// The access token of its session.
    pub(crate) token: String,
    registration_id: i64,
    id: u8,
}

impl Device {
    pub(crate) async fn register(client: &TestClient, username: &str) -> Self {
        let login = json!({"username": username, "password": PASSWORD});
        let account: Value = client.post("/v1/accounts", &login).await.expect(201).json();
        let session: Tokens = client.post("/v1/sessions", &login).await.expect(201).json();
        let registration = DeviceRegistration::new(&Identity::new());
        let owner = client.with_token(session.access_token);
        let bound: Tokens = owner.post("/v1/devices", &registration).await.expect(201).json();
        Self {
            account: account["accountId"].as_str().unwrap().to_owned(),
            token: bound.access_token,
            registration_id: registration.registration_id,
            id: bound.device_id.unwrap(),
        }
    }

    /// The path to which messages for it are put.
    pub(crate) fn path(&self) -> String {
        format!("/v1/messages/{}", self.account)
    }

    /// The body of a message for it.
    pub(crate) fn message(&self, content: &[u8]) -> Value {
        json!({"messages": [{
            "destinationDeviceId": self.id, "destinationRegistrationId": self.registration_id,
            "type": 1, "content": Base64Bytes(content.to_vec()),
        }], "timestamp": 1})
    }
}
