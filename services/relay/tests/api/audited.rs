//! What operators do about gateway clients is in the log, by whichever listener they do it.

use serde_json::{Value, json};
use testkit::host::ADMIN_TOKEN;

use crate::harness::TestApp;

testkit::on_both! {
    async fn each_change_leaves_one_entry_and_what_fails_none(test: TestDb) {
        let app = TestApp::start(&test).await;
        let operator = app.host.internal.with_token(ADMIN_TOKEN);
        let client = app.client(&json!({})).await;
        let path = format!("/v1/gateway-clients/{}", client.id);

        app.operator.post(&format!("{path}/rotate"), &Value::Null).await.assert_status(200);
        operator.delete(&path).await.assert_status(204);
        operator.delete(&path).await.assert_status(404);
        operator.post("/internal/relay/v1/incoming/revive", &Value::Null).await.assert_status(200);
        operator.get("/v1/gateway-clients").await.assert_status(200);

        let log = operator.get("/internal/relay/v1/audit").await.expect(200).value();
        let entries = log.as_array().unwrap();
        let actions: Vec<&str> = entries.iter().map(|one| one["action"].as_str().unwrap()).collect();
        let expected = ["gateway-clients.register", "gateway-clients.rotate", "gateway-clients.revoke", "incoming.revive"];
        assert_eq!(actions, expected);
        assert!(entries.iter().all(|one| one["intact"] == true));
        assert!(entries[..3].iter().all(|one| one["target"] == format!("client={}", client.id)));
        app.host.internal.get("/internal/relay/v1/audit").await.assert_status(401);
        app.host.stop().await;
    }
}
