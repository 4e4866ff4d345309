//! What operators see and do over the internal listener.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use smpp::smsc::{Behaviour, Span};
use testkit::on_both;
use testkit::wait::wait_until;

use crate::cases::{ACME, message};
use crate::harness::{Gateway, KEY, World, count};

pub(crate) const BINDS: &str = "/internal/sms-gateway/v1/binds";
const MAIN: &str = "/internal/sms-gateway/v1/binds/main";
pub(crate) const AUDIT: &str = "/internal/sms-gateway/v1/audit";
const TEXT: &str = "hello watermelon";

pub(crate) async fn ask(gateway: &Gateway, path: &str) -> Value {
    gateway.operator.get(path).await.expect(200).value()
}

pub(crate) async fn order(gateway: &Gateway, order: &str) -> Value {
    gateway.operator.put(MAIN, &json!({"order": order})).await.expect(200).value()
}

pub(crate) async fn bound(gateway: &Gateway) {
    wait_until("the bind", async || ask(gateway, BINDS).await[0]["state"] == "bound").await;
}

async fn send(gateway: &Gateway, world: &World, correls: impl IntoIterator<Item = String>) {
    for correl in correls {
        gateway.request(&world.maker.request(ACME, &correl, &message(TEXT))).await;
    }
}

pub(crate) async fn actions(gateway: &Gateway) -> Vec<String> {
    let entries = ask(gateway, AUDIT).await;
    entries.as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
}

on_both! {
    async fn a_paused_bind_takes_receipts_and_gets_nothing_new_until_it_is_opened(test: TestDb) {
        let slow = smpp::smsc::Receipts { delay: Span::exactly(Duration::from_millis(1500)), ..Default::default() };
        let world = World::new(Behaviour { receipts: Some(slow), ..Behaviour::default() }).await;
        let gateway = Gateway::start(&world, &test).await;
        bound(&gateway).await;
        send(&gateway, &world, ["before".to_owned()]).await;
        gateway.statuses("before", 1).await;

        let paused = order(&gateway, "paused").await;
        send(&gateway, &world, (0..20).map(|number| format!("during-{number}"))).await;
        gateway.statuses("before", 2).await;
        wait_until("the requests to be stored", async || {
            count(&gateway, "SELECT count(*) AS n FROM sms_jobs").await == 21
        })
        .await;

        assert_eq!((&paused["smsc"], &paused["order"]), (&json!("main"), &json!("paused")));
        assert_eq!(gateway.names("before"), ["SENT", "DELIVERED"]);
        assert_eq!(world.smsc.accepted().len(), 1);
        assert_eq!(ask(&gateway, BINDS).await[0]["state"], "bound");
        order(&gateway, "open").await;
        for number in 0..20 {
            gateway.statuses(&format!("during-{number}"), 2).await;
        }
        assert_eq!(world.smsc.accepted().len(), 21);
        assert_eq!(actions(&gateway).await, ["bind.pause", "bind.resume"]);
        gateway.stop().await;
    }

    async fn an_order_holds_in_all_instances_and_after_a_restart(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let folder = tempfile::tempdir().unwrap();
        let first = Gateway::start(&world, &test).await;
        let second = Gateway::beside(folder.path(), &test, world.settings()).await;
        bound(&first).await;
        bound(&second).await;

        order(&first, "paused").await;
        wait_until("the other instance", async || ask(&second, BINDS).await[0]["order"] == "paused").await;
        send(&first, &world, (0..5).map(|number| format!("one-{number}"))).await;
        send(&second, &world, (0..5).map(|number| format!("two-{number}"))).await;
        wait_until("the requests to be stored", async || {
            count(&first, "SELECT count(*) AS n FROM sms_jobs").await == 10
        })
        .await;
        second.stop().await;
        let second = Gateway::beside(folder.path(), &test, world.settings()).await;
        bound(&second).await;
        // A round of the dispatcher takes far less.
        tokio::time::sleep(Duration::from_secs(1)).await;

        assert_eq!(world.smsc.accepted(), []);
        order(&second, "open").await;
        wait_until("everything to leave", async || world.smsc.accepted().len() == 10).await;
        first.stop().await;
        second.stop().await;
    }

    async fn a_message_is_looked_up_without_what_it_says_and_to_whom(test: TestDb) {
        let world = World::new(Behaviour { drop_responses: 1.0, ..Behaviour::default() }).await;
        let gateway = Gateway::with(&world, &test, world.impatient()).await;
        send(&gateway, &world, ["+255700000001".to_owned(), "c-2".to_owned()]).await;
        gateway.statuses("+255700000001", 1).await;
        gateway.statuses("c-2", 1).await;

        let page = ask(&gateway, "/internal/sms-gateway/v1/unknown?client=acme&limit=1").await;
        let next = page["next"].as_str().unwrap();
        let rest = ask(&gateway, &format!("/internal/sms-gateway/v1/unknown?after={next}")).await;
        let found = ask(&gateway, "/internal/sms-gateway/v1/attempts?client=acme&correl-id=%2B255700000001").await;
        let none = ask(&gateway, "/internal/sms-gateway/v1/attempts?client=acme&correl-id=x").await;

        assert_eq!(page["attempts"].as_array().unwrap().len(), 1);
        assert_eq!(rest["attempts"].as_array().unwrap().len(), 1);
        assert_ne!(page["attempts"][0]["correlId"], rest["attempts"][0]["correlId"]);
        let attempt = &found["attempts"][0];
        assert_eq!((&attempt["state"], &attempt["smsc"]), (&json!("unknown"), &json!("main")));
        assert_eq!(attempt["parts"][0]["state"], "unknown");
        assert_eq!(found["statuses"][0]["sms-status"], "FAILED");
        assert_eq!(none, json!({"attempts": [], "statuses": []}));
        let log = ask(&gateway, AUDIT).await;
        assert_eq!(actions(&gateway).await, ["unknown.list", "unknown.list", "attempts.find", "attempts.find"]);
        assert_eq!(log[2]["target"], "client=acme correl-id=**********01");
        for shown in [&page, &rest, &found, &log] {
            assert!(!shown.to_string().contains("watermelon") && !shown.to_string().contains("+255123"), "{shown}");
        }
        gateway.stop().await;
    }

    async fn a_changed_or_removed_entry_of_the_audit_log_shows(test: TestDb) {
        let world = World::new(Behaviour::default()).await;
        let gateway = Gateway::start(&world, &test).await;
        for (name, wanted) in [("maria", "paused"), ("juma", "open"), ("maria", "paused"), ("juma", "open")] {
            let request = gateway.operator.request(Method::PUT, MAIN).header("x-operator", name);
            gateway.operator.send(request.json(&json!({"order": wanted}))).await.assert_status(200);
        }
        let intact = async || {
            let log = ask(&gateway, AUDIT).await;
            log.as_array().unwrap().iter().map(|entry| entry["intact"].as_bool().unwrap()).collect::<Vec<_>>()
        };

        let before = intact().await;
        let tail = ask(&gateway, &format!("{AUDIT}?after=2&limit=1")).await;
        change(&gateway, "UPDATE sms_audit SET actor = 'nobody' WHERE id = 2").await;
        let changed = intact().await;
        change(&gateway, "DELETE FROM sms_audit WHERE id = 2").await;

        assert_eq!(before, [true; 4]);
        assert_eq!((&tail[0]["id"], &tail[0]["intact"]), (&json!(3), &json!(true)));
        assert_eq!(tail[0]["actor"], "maria at 127.0.0.1");
        assert_eq!(changed, [true, false, true, true]);
        assert_eq!(intact().await, [true, false, true]);
        gateway.stop().await;
    }

    async fn only_operators_are_let_in_and_bad_input_is_told(test: TestDb) {
        let world = World::new(Behaviour::default()).await;
        let gateway = Gateway::start(&world, &test).await;
        let nobody = gateway.operator.with_token("the token between services");

        for path in ["binds", "unknown", "audit", "attempts?client=acme&correl-id=x"] {
            let path = format!("/internal/sms-gateway/v1/{path}");
            nobody.get(&path).await.assert_status(401);
            gateway.http.with_token(KEY).get(&path).await.assert_status(404);
        }
        nobody.put(MAIN, &json!({"order": "paused"})).await.assert_status(401);
        nobody.post("/internal/sms-gateway/v1/reload", &json!({})).await.assert_status(401);
        let unknown = gateway.operator.put(&format!("{BINDS}/other"), &json!({"order": "open"})).await;
        gateway.operator.put(MAIN, &json!({"order": "explode"})).await.assert_status(400);
        gateway.operator.get("/internal/sms-gateway/v1/attempts?client=acme").await.assert_status(400);
        gateway.operator.get(&format!("{AUDIT}?limit=0")).await.assert_status(400);
        let reloaded = gateway.operator.post("/internal/sms-gateway/v1/reload", &json!({})).await.expect(200);

        assert_eq!(unknown.expect(404).problem().detail.as_deref(), Some("there are: main"));
        assert_eq!(reloaded.value()["vault"], "ok");
        assert_eq!(actions(&gateway).await, ["reload"]);
        gateway.stop().await;
    }
}

async fn change(gateway: &Gateway, sql: &'static str) {
    use diesel::RunQueryDsl;
    let change = gateway.db.write(move |conn| Ok::<_, db::DbError>(diesel::sql_query(sql).execute(conn)?));
    change.await.unwrap();
}
