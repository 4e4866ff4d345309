//! Gateway clients: put up, rotated, taken down.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::clock::FakeClock;
use testkit::wait::wait_until;

use crate::harness::TestApp;

const IMSI: &str = "624011234567890";

/// Rows of gateway clients, revoked ones included.
async fn clients(app: &TestApp) -> i64 {
    use diesel::prelude::*;

    #[derive(QueryableByName)]
    struct Rows {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        n: i64,
    }
    let count = |conn: &mut db::DbConn| {
        let rows: Rows = diesel::sql_query("SELECT count(*) AS n FROM gateway_clients").get_result(conn)?;
        Ok::<_, db::DbError>(rows.n)
    };
    app.host.database("relay").read(count).await.unwrap()
}

testkit::on_both! {
    async fn a_client_is_made_listed_and_known_by_its_secret_alone(test: TestDb) {
        let app = TestApp::start(&test).await;

        let client = app
            .client(&json!({"msisdn": "+237677123456", "label": "Buea", "kind": "seeder"}))
            .await;

        let listed = app.operator.get("/v1/gateway-clients").await.expect(200).value()["clients"].clone();
        assert_eq!(listed.as_array().unwrap().len(), 1);
        for (name, value) in [
            ("clientId", json!(client.id)),
            ("label", json!("Buea")),
            ("kind", json!("seeder")),
            ("country", json!("Cameroon")),
            ("operator", json!("MTN Cameroon")),
            ("operatorCode", json!("62401")),
            ("operators", json!(["mtn"])),
            ("protocols", json!(["https"])),
            ("lastPublishedAt", Value::Null),
        ] {
            assert_eq!(listed[0][name], value, "{name}");
        }
        assert!(!listed.to_string().contains(&client.secret));
        client.ping(IMSI, "+237677123456", "seed").await.assert_status(200);
        for wrong in ["", "wrong", &client.secret[1..]] {
            let refused = client.with_secret(wrong).ping(IMSI, "+237677123456", "seed").await;
            refused.assert_status(401);
            assert_eq!(refused.header("www-authenticate"), Some("Basic realm=\"sealpost\""));
        }
        app.host.stop().await;
    }

    async fn a_rotated_secret_is_void_at_once_or_after_the_time_that_is_set(test: TestDb) {
        let clock = FakeClock::default();
        let more = [("relay.rotation_grace", "1h")];
        let app = TestApp::start_at(&test, &more, clock.shared()).await;
        let client = app.client(&json!({})).await;
        let rotate = format!("/v1/gateway-clients/{}/rotate", client.id);

        let made = app.operator.post(&rotate, &Value::Null).await.expect(200).value();

        let renewed = client.with_secret(made["secret"].as_str().unwrap());
        assert_eq!(made["previousUntil"], json!(testkit::clock::START.as_i64() + 3_600_000));
        for both in [&client, &renewed] {
            both.ping(IMSI, "+237677123456", "seed").await.assert_status(200);
        }
        clock.advance(Duration::from_secs(3600));
        client.ping(IMSI, "+237677123456", "seed").await.assert_status(401);
        renewed.ping(IMSI, "+237677123456", "seed").await.assert_status(200);
        app.host.stop().await;

        let app = TestApp::start(&test).await;
        let made = app.operator.post(&rotate, &Value::Null).await.expect(200).value();
        assert_eq!(made["previousUntil"], Value::Null);
        app.host.stop().await;
    }

    async fn a_revoked_client_is_out_of_everything(test: TestDb) {
        // On a clock that stands still no modem leaves the lists by itself.
        let app = TestApp::start_at(&test, &[], FakeClock::default().shared()).await;
        let client = app.client(&json!({"msisdn": "+237677123456"})).await;
        let other = app.client(&json!({"msisdn": "+237690123456"})).await;
        client.ping(IMSI, "+237677123456", "seed").await.assert_status(200);
        let path = format!("/v1/gateway-clients/{}", client.id);

        app.operator.delete(&path).await.assert_status(204);

        client.ping(IMSI, "+237677123456", "seed").await.assert_status(401);
        assert_eq!(app.host.http.get("/seeds").await.expect(200).value(), json!([]));
        let listed = app.host.http.get("/v3/clients").await.expect(200).value();
        assert_eq!(listed.as_array().unwrap().len(), 1);
        assert_eq!(app.operator.delete(&path).await.problem().slug(), "gateway-client-not-found");
        let rotate = app.operator.post(&format!("{path}/rotate"), &Value::Null).await;
        assert_eq!(rotate.problem().slug(), "gateway-client-not-found");
        // Its SIM may be put into another modem.
        other.ping(IMSI, "+237690123456", "seed").await.assert_status(200);
        app.host.stop().await;
    }

    async fn operators_alone_manage_clients_on_either_listener(test: TestDb) {
        let more = [
            ("limits.enabled", "true"),
            ("limits.operator_address.size", "2"),
            ("limits.operator_address.refill", "1h"),
        ];
        let app = TestApp::start_with(&test, &more).await;
        let client = app.client(&json!({})).await;
        let inside = app.host.internal.with_token(testkit::host::ADMIN_TOKEN);

        inside.get("/v1/gateway-clients").await.assert_status(200);
        app.host.http.get("/v1/gateway-clients").await.assert_status(401);
        app.host.internal.get("/v1/gateway-clients").await.assert_status(401);
        client.call(reqwest::Method::GET, "/v1/gateway-clients", &Value::Null).await.assert_status(401);
        app.host.http.with_token("a guess").get("/v1/gateway-clients").await.assert_status(401);

        let guess = app.host.http.with_token("another guess").get("/v1/gateway-clients").await;
        assert_eq!(guess.problem().slug(), "rate-limited");
        app.host.stop().await;
    }

    async fn a_revoked_client_is_forgotten_after_its_time_where_there_are_no_queues(test: TestDb) {
        let clock = FakeClock::default();
        let more = [("relay.revoked_retention", "10days"), ("relay.sweep_batch", "2")];
        let app = TestApp::start_at(&test, &more, clock.shared()).await;
        for _ in 0..5 {
            let client = app.client(&json!({"msisdn": "+237677123456"})).await;
            app.operator.delete(&format!("/v1/gateway-clients/{}", client.id)).await.assert_status(204);
        }
        let living = app.client(&json!({})).await;
        clock.advance(Duration::from_secs(9 * 24 * 3600));
        let kept = clients(&app).await;

        clock.advance(Duration::from_secs(2 * 24 * 3600));

        assert_eq!(kept, 6);
        wait_until("the revoked to be forgotten", || async { clients(&app).await == 1 }).await;
        living.ping(IMSI, "+237677123456", "seed").await.assert_status(200);
        app.host.stop().await;
    }

    async fn what_is_no_client_is_not_made(test: TestDb) {
        let app = TestApp::start_with(&test, &[("relay.max_clients", "1")]).await;

        for (body, pointer) in [
            (json!({"msisdn": "677123456"}), "/msisdn"),
            (json!({"operators": ["mtn.*"]}), "/operators/0"),
            (json!({"kind": "modem"}), "/kind"),
            (json!({"label": "a\nb"}), "/label"),
            (json!({"protocols": []}), "/protocols"),
            (json!({"secret": "mine"}), "/secret"),
        ] {
            let problem = app.operator.post("/v1/gateway-clients", &body).await.expect(400).problem();
            assert_eq!(problem.errors[0].pointer, pointer, "{body}");
        }
        app.client(&json!({"operators": []})).await;
        let full = app.operator.post("/v1/gateway-clients", &json!({})).await;
        assert_eq!(full.problem().slug(), "too-many-gateway-clients");
        app.host.stop().await;
    }
}
