//! Pings, and the lists of modems that are there (§7.2 of the interface, row 10 of its acceptance list).

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::clock::{FakeClock, START};
use testkit::database::TestDb;

use crate::harness::TestApp;

const IMSI: &str = "624011234567890";
const NUMBER: &str = "+237677123456";

/// A relay whose clock stands still: a modem stays on the lists however slow the machine is.
async fn standing(test: &TestDb, more: &[(&str, &str)]) -> TestApp {
    TestApp::start_at(test, more, FakeClock::default().shared()).await
}

testkit::on_both! {
    async fn a_modem_is_listed_after_its_ping_and_gone_20_seconds_later(test: TestDb) {
        let clock = FakeClock::default();
        let app = TestApp::start_at(&test, &[], clock.shared()).await;
        let client = app.client(&json!({})).await;

        let answer = client.ping(IMSI, NUMBER, "seed").await.expect(200);

        assert_eq!(answer.text(), format!("{}.000", START.as_secs()));
        let list = app.host.http.get("/seeds").await.expect(200).value();
        let expected = json!([{
            "IMSI": IMSI, "MSISDN": NUMBER, "seed_type": "seed", "country": "Cameroon",
            "operator_name": "MTN Cameroon", "operator_id": "62401", "LPS": START.as_secs() as f64,
        }]);
        assert_eq!(list, expected);
        assert_eq!(app.host.http.get(&format!("/seeds/{IMSI}")).await.expect(200).text(), NUMBER);
        clock.advance(Duration::from_millis(19_999));
        assert_eq!(app.host.http.get("/seeds").await.value().as_array().unwrap().len(), 1);
        clock.advance(Duration::from_millis(1));
        assert_eq!(app.host.http.get("/seeds").await.value(), json!([]));
        assert_eq!(app.host.http.get(&format!("/seeds/{IMSI}")).await.expect(200).text(), "");
        app.host.stop().await;
    }

    async fn seeders_are_listed_apart_and_the_later_form_is_taken(test: TestDb) {
        let app = standing(&test, &[]).await;
        let client = app.client(&json!({})).await;

        let introduced = client.post("/seeds", &json!({"IMSI": "62401000001", "MSISDN": NUMBER})).await.expect(200);
        client.ping("62401000002", "+237690123456", "seeder").await.assert_status(200);
        // Of a number that is none nobody is told.
        client.ping("62401000003", "+99912345678", "seeder").await.assert_status(200);

        assert_eq!(introduced.text(), "");
        let imsis = |list: Value| -> Vec<String> {
            let all = list.as_array().unwrap().iter();
            let mut all: Vec<String> = all.map(|seed| seed["IMSI"].as_str().unwrap().to_owned()).collect();
            all.sort();
            all
        };
        assert_eq!(imsis(app.host.http.get("/seeds").await.value()), ["62401000001", "62401000002"]);
        assert_eq!(imsis(app.host.http.get("/seeders").await.value()), ["62401000002"]);
        app.host.stop().await;
    }

    async fn the_later_form_changes_no_kind(test: TestDb) {
        let app = standing(&test, &[]).await;
        let client = app.client(&json!({})).await;
        let kind = async || {
            let list = app.host.http.get("/seeds").await.expect(200).value();
            assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
            (list[0]["seed_type"].as_str().unwrap().to_owned(), list[0]["MSISDN"].as_str().unwrap().to_owned())
        };
        let introduce = async |number: &str| {
            client.post("/seeds", &json!({"IMSI": IMSI, "MSISDN": number})).await.assert_status(200);
        };

        introduce(NUMBER).await;
        assert_eq!(kind().await, ("seed".to_owned(), NUMBER.to_owned()), "a new one is a seed");
        client.ping(IMSI, NUMBER, "seeder").await.assert_status(200);
        assert_eq!(kind().await, ("seeder".to_owned(), NUMBER.to_owned()));
        introduce("+237690123456").await;
        assert_eq!(kind().await, ("seeder".to_owned(), "+237690123456".to_owned()), "the number alone changes");
        client.ping(IMSI, NUMBER, "seed").await.assert_status(200);
        assert_eq!(kind().await, ("seed".to_owned(), NUMBER.to_owned()));
        app.host.stop().await;
    }

    async fn what_is_missing_is_named_before_what_is_wrong(test: TestDb) {
        let app = TestApp::start(&test).await;
        let client = app.client(&json!({})).await;

        for (path, body, text) in [
            ("/seeds/ping", json!({}), "missing IMSI"),
            ("/seeds/ping", json!({"MSISDN": "677"}), "missing IMSI"),
            ("/seeds/ping", json!({"MSISDN": "677", "seed_type": "x"}), "missing IMSI"),
            ("/seeds/ping", json!({"IMSI": "x", "seed_type": "x"}), "missing MSISDN"),
            ("/seeds/ping", json!({"IMSI": "x", "MSISDN": NUMBER}), "missing seeder state"),
            ("/seeds/ping", json!({"IMSI": IMSI, "MSISDN": "677"}), "missing seeder state"),
            ("/seeds", json!({}), "missing IMSI"),
            ("/seeds", json!({"MSISDN": "677"}), "missing IMSI"),
            ("/seeds", json!({"IMSI": "x"}), "missing MSISDN"),
        ] {
            assert_eq!(client.post(path, &body).await.expect(400).text(), text, "{path} {body}");
        }
        app.host.stop().await;
    }

    async fn what_is_missing_or_wrong_is_named(test: TestDb) {
        let app = TestApp::start(&test).await;
        let client = app.client(&json!({})).await;
        let whole = json!({"IMSI": IMSI, "MSISDN": NUMBER, "seed_type": "seed"});

        for (name, text) in [
            ("IMSI", "missing IMSI"),
            ("MSISDN", "missing MSISDN"),
            ("seed_type", "missing seeder state"),
        ] {
            let mut body = whole.clone();
            body.as_object_mut().unwrap().remove(name);
            assert_eq!(client.post("/seeds/ping", &body).await.expect(400).text(), text);
            for wrong in [json!({"$ne": 1}), json!("../../x"), json!("12345"), json!(null)] {
                body[name] = wrong;
                let refused = client.post("/seeds/ping", &body).await.expect(400).text();
                assert!(refused.starts_with(&format!("invalid {name}")), "{refused}");
            }
        }
        let body = json!({"IMSI": IMSI, "MSISDN": "+0237677123456", "seed_type": "seed"});
        let refused = client.post("/seeds/ping", &body).await.expect(400).text();
        assert_eq!(refused, "invalid MSISDN: no country code begins with 0");
        assert_eq!(client.post("/seeds/ping", &json!([])).await.expect(400).text(), "invalid json");
        assert_eq!(app.host.http.get("/seeds").await.expect(200).value(), json!([]));
        app.host.stop().await;
    }

    async fn only_the_client_that_a_modem_belongs_to_changes_it(test: TestDb) {
        let app = standing(&test, &[("relay.client_seeds", "2")]).await;
        let (own, other) = (app.client(&json!({})).await, app.client(&json!({})).await);
        own.ping(IMSI, NUMBER, "seed").await.assert_status(200);

        other.ping(IMSI, "+237690123456", "seeder").await.assert_status(403);
        assert_eq!(app.host.http.get("/seeds").await.value()[0]["MSISDN"], NUMBER);
        own.ping(IMSI, "+237690123456", "seeder").await.assert_status(200);
        assert_eq!(app.host.http.get("/seeds").await.value()[0]["MSISDN"], "+237690123456");

        own.ping("62401000002", NUMBER, "seed").await.assert_status(200);
        own.ping("62401000003", NUMBER, "seed").await.assert_status(422);
        own.ping("62401000002", NUMBER, "seed").await.assert_status(200);
        app.host.http.post("/seeds/ping", &json!({})).await.assert_status(401);
        app.host.stop().await;
    }

    async fn imsis_can_be_kept_from_everybody_else(test: TestDb) {
        let app = standing(&test, &[("relay.public_imsi", "false")]).await;
        let client = app.client(&json!({})).await;
        client.ping(IMSI, NUMBER, "seed").await.assert_status(200);

        let anonymous = app.host.http.get("/seeds").await.expect(200).value();
        let again = app.host.http.get("/seeders").await.expect(200).value();
        let known = client.call(Method::GET, "/seeds", &Value::Null).await.expect(200).value();

        let pseudonym = anonymous[0]["IMSI"].as_str().unwrap();
        assert!(pseudonym.starts_with("sim-") && !pseudonym.contains(IMSI), "{pseudonym}");
        assert_eq!((again, &known[0]["IMSI"]), (json!([]), &json!(IMSI)));
        assert_eq!(app.host.http.get("/seeds").await.value()[0]["IMSI"], pseudonym, "the same each time");
        assert_eq!(app.host.http.get(&format!("/seeds/{pseudonym}")).await.expect(200).text(), NUMBER);
        assert_eq!(app.host.http.get(&format!("/seeds/{IMSI}")).await.expect(200).text(), "");
        let own = client.call(Method::GET, &format!("/seeds/{IMSI}"), &Value::Null).await.expect(200);
        assert_eq!(own.text(), NUMBER);
        app.host.stop().await;
    }

    async fn two_processes_show_the_same_and_forget_what_is_long_gone(test: TestDb) {
        let clock = FakeClock::default();
        let one = TestApp::start_at(&test, &[("relay.seed_retention", "1h")], clock.shared()).await;
        let client = one.client(&json!({})).await;
        client.ping(IMSI, NUMBER, "seed").await.assert_status(200);
        let rows = one.host.database("relay");
        one.host.stop().await;

        let two = TestApp::start_at(&test, &[("relay.seed_retention", "1h")], clock.shared()).await;
        assert_eq!(two.host.http.get(&format!("/seeds/{IMSI}")).await.text(), NUMBER);
        clock.advance(Duration::from_secs(3601));

        testkit::wait::wait_until("the modem to be forgotten", || async {
            rows.read(|conn| {
                use diesel::prelude::*;
                let left = diesel::sql_query("SELECT imsi FROM seeds").execute(conn)?;
                Ok::<_, db::DbError>(left)
            })
            .await
            .unwrap()
                == 0
        })
        .await;
        two.host.stop().await;
    }
}
