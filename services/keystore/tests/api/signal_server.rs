//! The interface of signal_server between stand-ins: what fails on the way, what happens at once, what is limited. Its
//! wire is tested over the real services.

mod concurrency;
mod crashes;
mod keys;
mod limits;

use common::models::AccountId;
use serde_json::{Value, json};
use testkit::http::{Answer, TestClient};
use testkit::signal::{Identity, PreKey};

use crate::peers::Peers;

/// The path that every device here has for itself.
pub(crate) const OWN: &str = "1234";

/// A user, as a client has it.
pub(crate) struct User {
    pub(crate) username: String,
    pub(crate) account: AccountId,
    pub(crate) identity: Identity,
    pub(crate) client: TestClient,
}

impl User {
    /// A user without a device.
    pub(crate) fn new(http: &TestClient, peers: &Peers, username: &str) -> Self {
        let (account, token) = peers.signal_server_user(username);
        let identity = Identity::new();
        Self { username: username.to_owned(), account, identity, client: http.with_token(token) }
    }

    /// A user with a device and `prekeys` prekeys.
    pub(crate) async fn with_device(http: &TestClient, peers: &Peers, username: &str, prekeys: i64) -> Self {
        let user = Self::new(http, peers, username);
        user.register(prekeys).await.assert_status(201);
        user
    }

    /// The same at another instance.
    pub(crate) fn at(&self, http: &TestClient, peers: &Peers) -> Self {
        Self { identity: self.identity.clone(), ..Self::new(http, peers, &self.username) }
    }

    pub(crate) async fn register(&self, prekeys: i64) -> Answer {
        self.client.post("/device/", &self.device(prekeys)).await
    }

    /// The body that registers a device with fresh prekeys, numbered from 1.
    pub(crate) fn device(&self, prekeys: i64) -> Value {
        let prekeys: Vec<PreKey> = (1..=prekeys).map(PreKey::new).collect();
        json!({
            "address": format!("{}.1", self.username),
            "identityKey": self.identity.public_key(),
            "registrationId": 1234,
            "preKeys": prekeys,
            "signedPreKey": self.identity.signed_pre_key(1),
        })
    }

    /// Fetches the bundle of a user.
    pub(crate) async fn fetch(&self, username: &str) -> Answer {
        self.client.get(&format!("/prekeybundle/{username}/{OWN}/")).await
    }
}

/// The code of a coded answer.
pub(crate) fn code(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.value()["code"].as_str().unwrap_or_default().to_owned())
}

/// The number of the prekey in a bundle.
pub(crate) fn prekey_of(answer: &Answer) -> i64 {
    answer.value()["preKey"]["keyId"].as_i64().unwrap()
}
