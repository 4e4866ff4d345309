//! SMS for modems (`POST /sms`, §7.3 of the interface).

use serde_json::{Value, json};
use testkit::rabbitmq::vhost;
use testkit::wait::wait_until;

use crate::harness::{Gateway, TestApp};
use crate::publishing::{Reader, metric, ready};

fn sms(client: &Gateway, data: &Value) -> Value {
    json!({"auth_id": client.id, "data": data})
}

fn one(isp: &str, text: &str) -> Value {
    json!({"isp": isp, "number": "+237650000001", "text": text})
}

testkit::on_both! {
    async fn every_sms_is_in_the_queue_of_its_operator(test: TestDb) {
        let vhost = vhost().await;
        let app = TestApp::start_with(&test, &[("relay.amqp_url", vhost.url())]).await;
        wait_until("the broker", || async { metric(&app, "broker_connected").await == 1 }).await;
        let client = app.client(&json!({"operators": ["mtn", "orange"]})).await;

        let data = json!([one("MTN", "one"), one("orange", "two"), one("mtn", "three")]);
        let answer = client.post("/sms", &sms(&client, &data)).await.expect(200);

        assert_eq!(answer.text(), "");
        let reader = Reader::connect(vhost.url()).await;
        for (operator, texts) in [("mtn", &["one", "three"][..]), ("orange", &["two"])] {
            let queue = format!("{}_OUTGOING_SMS_{operator}", client.id);
            assert_eq!(ready(&vhost, &queue).await as usize, texts.len());
            for text in texts {
                let message = reader.take(&queue).await;
                assert_eq!(*message.properties.delivery_mode(), Some(2));
                assert_eq!(message.routing_key.as_str(), format!("{}_OUTGOING_SMS.{operator}", client.id));
                let body: Value = serde_json::from_slice(&message.data).unwrap();
                assert_eq!(body, json!({"text": text, "number": "+237650000001"}));
            }
        }
        app.host.stop().await;
    }

    async fn an_sms_that_no_modem_serves_comes_back_and_the_others_are_queued(test: TestDb) {
        let vhost = vhost().await;
        let app = TestApp::start_with(&test, &[("relay.amqp_url", vhost.url())]).await;
        wait_until("the broker", || async { metric(&app, "broker_connected").await == 1 }).await;
        let client = app.client(&json!({"operators": ["mtn"]})).await;
        let wrong = json!({"isp": "mtn", "number": "a number", "text": "x"});

        let data = json!([one("orange", "lost"), one("mtn", "kept"), wrong, one("mtn.#", "x")]);
        let problem = client.post("/sms", &sms(&client, &data)).await.expect(422).problem();

        assert_eq!(problem.slug(), "not-all-queued");
        let named: Vec<&str> = problem.errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(named, ["/data/0", "/data/2", "/data/3"]);
        assert_eq!(ready(&vhost, &format!("{}_OUTGOING_SMS_mtn", client.id)).await, 1);
        app.host.stop().await;
    }

    async fn a_queue_that_is_gone_is_made_again_by_the_next_sms(test: TestDb) {
        let vhost = vhost().await;
        let app = TestApp::start_with(&test, &[("relay.amqp_url", vhost.url())]).await;
        wait_until("the broker", || async { metric(&app, "broker_connected").await == 1 }).await;
        let client = app.client(&json!({"operators": ["mtn"]})).await;
        let queue = format!("{}_OUTGOING_SMS_mtn", client.id);
        let gone = reqwest::Client::new().delete(vhost.api(&format!("queues/{}/{queue}", vhost.name())));
        assert!(gone.send().await.unwrap().status().is_success());

        client.post("/sms", &sms(&client, &json!([one("mtn", "kept")]))).await.assert_status(200);

        assert_eq!(ready(&vhost, &queue).await, 1);
        app.host.stop().await;
    }

    async fn queues_outlive_another_delivery_limit(test: TestDb) {
        let vhost = vhost().await;
        let app = TestApp::start_with(&test, &[("relay.amqp_url", vhost.url())]).await;
        wait_until("the broker", || async { metric(&app, "broker_connected").await == 1 }).await;
        let client = app.client(&json!({"operators": ["mtn", "orange"]})).await;
        client.post("/sms", &sms(&client, &json!([one("mtn", "one")]))).await.assert_status(200);
        app.host.stop().await;

        let more = [("relay.amqp_url", vhost.url()), ("relay.delivery_limit", "9")];
        let app = TestApp::start_with(&test, &more).await;
        wait_until("the broker", || async { metric(&app, "broker_connected").await == 1 }).await;
        let client = client.at(&app);
        let data = json!([one("mtn", "two"), one("orange", "three")]);
        client.post("/sms", &sms(&client, &data)).await.assert_status(200);

        assert_eq!(ready(&vhost, &format!("{}_OUTGOING_SMS_mtn", client.id)).await, 2);
        app.host.stop().await;
    }

    async fn queues_of_a_revoked_client_go_once_they_are_empty(test: TestDb) {
        let vhost = vhost().await;
        let app = TestApp::start_with(&test, &[("relay.amqp_url", vhost.url())]).await;
        wait_until("the broker", || async { metric(&app, "broker_connected").await == 1 }).await;
        let client = app.client(&json!({"operators": ["mtn", "orange"]})).await;
        client.post("/sms", &sms(&client, &json!([one("mtn", "last words")]))).await.assert_status(200);
        let queue = |operator: &str| format!("{}_OUTGOING_SMS_{operator}", client.id);

        app.operator.delete(&format!("/v1/gateway-clients/{}", client.id)).await.assert_status(204);

        let bound = vhost.bindings("DEKU_CLUSTER_SMS").await.unwrap();
        assert_eq!(bound, Vec::<String>::new());
        assert_eq!(ready(&vhost, &queue("mtn")).await, 1, "what waits is not thrown away");
        let reader = Reader::connect(vhost.url()).await;
        reader.take(&queue("mtn")).await.ack(Default::default()).await.unwrap();
        let rows = app.host.database("relay");
        wait_until("the last of it to be gone", || async {
            use diesel::prelude::*;
            let left = rows.read(|conn| Ok::<_, db::DbError>(diesel::sql_query("SELECT client_id FROM gateway_clients").execute(conn)?));
            left.await.unwrap() == 0
        })
        .await;
        app.host.stop().await;
    }

    async fn what_is_no_request_of_the_caller_is_refused(test: TestDb) {
        let app = TestApp::start_with(&test, &[("relay.max_outgoing", "1")]).await;
        let (client, other) = (app.client(&json!({})).await, app.client(&json!({})).await);
        let data = json!([one("mtn", "x")]);

        for (body, status, text) in [
            (json!("x"), 400, "invalid json"),
            (json!({"data": data}), 400, "auth ID missing"),
            (json!({"auth_id": client.id}), 400, "data missing"),
            (sms(&client, &json!([])), 400, "data missing"),
            (sms(&client, &json!({"isp": "mtn"})), 400, "data missing"),
            (sms(&client, &json!([one("mtn", "x"), one("mtn", "y")])), 400, "data: 1 at most"),
            (sms(&other, &data), 403, "these are the credentials of another client"),
        ] {
            let answer = client.post("/sms", &body).await;
            assert_eq!((answer.status.as_u16(), answer.text().as_str()), (status, text), "{body}");
        }
        app.host.http.post("/sms", &sms(&client, &data)).await.assert_status(401);
        app.host.stop().await;
    }

    async fn without_rabbitmq_or_while_it_is_away_nothing_is_taken(test: TestDb) {
        let port = testkit::process::ports::free();
        let url = format!("amqp://guest:guest@127.0.0.1:{port}/%2f");
        for (more, detail) in [
            (&[][..], "this installation has no RabbitMQ, through which SMS reach modems (relay.amqp_url)"),
            (&[("relay.amqp_url", &*url)], "what is not named in errors is queued"),
        ] {
            let app = TestApp::start_with(&test, more).await;
            let client = app.client(&json!({"operators": ["mtn"]})).await;

            let answer = client.post("/sms", &sms(&client, &json!([one("mtn", "x")]))).await.expect(503);

            assert!(answer.header("retry-after").is_some());
            let problem = answer.problem();
            assert_eq!((problem.slug(), problem.detail.as_deref()), ("unavailable", Some(detail)));
            app.host.stop().await;
        }
    }
}
