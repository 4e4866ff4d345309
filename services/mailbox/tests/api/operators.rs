//! How much waits, as operators see it.

use common::models::AccountId;
use serde_json::{Value, json};
use testkit::clock::{FakeClock, START};
use testkit::host::ADMIN_TOKEN;

use crate::harness::TestApp;

const AUDIT: &str = "/internal/mailbox/v1/audit";

fn path(account: AccountId) -> String {
    format!("/internal/mailbox/v1/operators/accounts/{account}/queues")
}

async fn queues(app: &TestApp, account: AccountId) -> Value {
    let operator = app.host.internal.with_token(ADMIN_TOKEN);
    operator.get(&path(account)).await.expect(200).value()["queues"].clone()
}

testkit::on_both! {
    async fn an_operator_sees_how_much_waits_for_each_device_and_for_how_long(test: TestDb) {
        let clock = FakeClock::default();
        let app = TestApp::start_at(&test, &[], clock.shared()).await;
        let (alice, bob) = (app.device().await, app.device().await);

        let empty = queues(&app, bob.account).await;
        alice.send(&bob, "hello").await.assert_status(200);
        clock.advance(std::time::Duration::from_secs(60));
        alice.send(&bob, "again").await.assert_status(200);
        let two = queues(&app, bob.account).await;
        bob.ack(&json!({"ackSeq": 1})).await.assert_status(204);
        let one = queues(&app, bob.account).await;

        assert_eq!(empty, json!([{"kind": "native", "deviceId": 1, "count": 0, "bytes": 0}]));
        assert_eq!(two, json!([{"kind": "native", "deviceId": 1, "count": 2, "bytes": 10, "oldestAt": START.as_i64()}]));
        assert_eq!(one[0]["oldestAt"], START.as_i64() + 60_000);
        assert_eq!(queues(&app, AccountId::new()).await, json!([]));
        app.host.stop().await;
    }

    async fn each_look_leaves_an_entry_and_strangers_have_none(test: TestDb) {
        let app = TestApp::start(&test).await;
        let bob = app.device().await;

        queues(&app, bob.account).await;
        app.host.internal.get(&path(bob.account)).await.assert_status(401);
        app.host.internal.get(AUDIT).await.assert_status(401);

        let log = app.host.internal.with_token(ADMIN_TOKEN).get(AUDIT).await.expect(200).value();
        assert_eq!(log.as_array().unwrap().len(), 1);
        assert_eq!((&log[0]["action"], &log[0]["intact"]), (&json!("queues.show"), &json!(true)));
        app.host.stop().await;
    }
}

#[test]
fn every_route_for_operators_is_known_above() {
    let description = web::openapi("", "", &web::routes(mailbox::internal_routes));
    let description = serde_json::to_value(description).unwrap();
    let paths = description["paths"].as_object().unwrap();

    let operators = paths.iter().filter(|(_, item)| item["get"]["tags"][0] == "operators");
    let operators: Vec<&str> = operators.map(|(path, _)| path.as_str()).collect();

    let show = "/internal/mailbox/v1/operators/accounts/{account}/queues";
    assert_eq!(operators, [AUDIT, show], "see that the new one leaves an entry");
}
