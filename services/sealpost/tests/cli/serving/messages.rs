//! The services of a standalone find each other: from an account to a message in a mailbox.

use serde_json::{Value, json};
use testkit::signal::{DeviceRegistration, Identity};

use super::Standalone;
use crate::program::Place;

/// Somebody with an account and one device.
pub(super) struct Person {
    pub(super) account: String,
    pub(super) registration: Value,
    pub(super) token: String,
}

pub(super) async fn person(server: &Standalone, username: &str) -> Person {
    let login = json!({"username": username, "password": "correct horse battery"});
    server.http.post("/v1/accounts", &login).await.assert_status(201);
    let session = server.http.post("/v1/sessions", &login).await.expect(201).value();
    let client = server.http.with_token(text(&session, "accessToken"));
    let registration = serde_json::to_value(DeviceRegistration::new(&Identity::new())).expect("JSON");
    let device = client.post("/v1/devices", &registration).await.expect(201).value();
    Person {
        account: text(&session, "accountId"),
        registration: registration["registrationId"].clone(),
        token: text(&device, "accessToken"),
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}")).to_owned()
}

#[tokio::test]
async fn a_message_outlives_the_server_that_took_it() {
    let place = Place::new();
    let mut server = Standalone::start(&place, "").await;
    let (alice, bob) = (person(&server, "alice").await, person(&server, "bob").await);
    let from_alice = server.http.with_token(alice.token);
    let bundle = from_alice.get(&format!("/v1/keys/{}/*", bob.account)).await.expect(200).value();
    assert_eq!(bundle["devices"][0]["registrationId"], bob.registration);

    let message = json!({
        "timestamp": 1_700_000_000_000_i64,
        "messages": [{
            "destinationDeviceId": 1,
            "destinationRegistrationId": bob.registration,
            "type": 1,
            "content": "Y2lwaGVydGV4dA==",
        }],
    });
    from_alice.put(&format!("/v1/messages/{}", bob.account), &message).await.assert_status(200);
    server.program.kill();
    let server = Standalone::start(&place, "").await;

    let page = server.http.with_token(bob.token).get("/v1/messages").await.expect(200).value();
    assert_eq!(page["messages"][0]["content"], "Y2lwaGVydGV4dA==", "{page}");
    assert_eq!(page["messages"][0]["sourceAccount"], alice.account);
}
