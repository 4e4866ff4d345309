//! Receipts that providers bring by calling us.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::json;
use sms_gateway::{HttpReceipts, HttpSettings, ReceiptWord, Settings};
use testkit::http::{Answer, TestClient};
use testkit::on_both;

use super::stub::{Act, Stub};
use super::{NUMBER, connection};
use crate::cases::{ACME, message};
use crate::harness::{Gateway, World, count};

const SECRET: &str = "secret-of-the-receipts";

fn settings(world: &World, stub: &Stub, header: Option<&str>) -> Settings {
    let states = [
        ("delivered", ReceiptWord::Delivered),
        ("undelivered", ReceiptWord::Undeliverable),
        ("sent", ReceiptWord::Enroute),
    ];
    let receipts = HttpReceipts {
        secret: SECRET.into(),
        header: header.map(str::to_owned),
        id: "MessageSid".into(),
        status: "MessageStatus".into(),
        error: Some("ErrorCode".into()),
        to: Some("To".into()),
        states: states.map(|(word, state)| (word.to_owned(), state)).into_iter().collect::<BTreeMap<_, _>>(),
    };
    let id = serde_json::from_value(json!({ "regex": "SM[0-9]+" })).unwrap();
    let http = HttpSettings {
        name: "twilio".into(),
        url: Some(stub.url().parse().unwrap()),
        form: [("Body".to_owned(), "{text}".parse().unwrap())].into(),
        id: Some(id),
        receipts: Some(receipts),
        connection: connection(),
        ..HttpSettings::default()
    };
    Settings { smsc: Vec::new(), http: vec![http], ..world.settings() }
}

async fn form(client: &TestClient, path: &str, body: &str) -> Answer {
    let request = client.request(Method::POST, path);
    client
        .send(request.header("content-type", "application/x-www-form-urlencoded").body(body.to_owned()))
        .await
}

on_both! {
    async fn a_receipt_in_any_form_finds_its_message(test: TestDb) {
        let world = World::new(Default::default()).await;
        let stub = Stub::start(|_, number| Act::answer(201, format!("SM{number}"))).await;
        let gateway = Gateway::with(&world, &test, settings(&world, &stub, None)).await;
        let path = format!("/v1/sms/receipts/twilio/{SECRET}");
        for index in 1..=3 {
            let correl = format!("r{index}");
            gateway.request(&world.maker.request(ACME, &correl, &message("hello"))).await;
            gateway.statuses(&correl, 1).await;
        }

        form(&gateway.http, &path, "MessageSid=SM1&MessageStatus=sent").await.assert_status(204);
        form(&gateway.http, &path, "MessageSid=SM1&MessageStatus=delivered").await.assert_status(204);
        form(&gateway.http, &path, "MessageSid=SM1&MessageStatus=delivered").await.assert_status(204);
        let document = json!({ "MessageSid": "SM2", "MessageStatus": "undelivered", "ErrorCode": 30003 });
        gateway.http.post(&path, &document).await.assert_status(204);
        gateway.http.get(&format!("{path}?MessageSid=SM3&MessageStatus=delivered")).await.assert_status(204);
        form(&gateway.http, &path, "MessageSid=SM3&MessageStatus=sending").await.assert_status(204);

        for correl in ["r1", "r2", "r3"] {
            gateway.statuses(correl, 2).await;
        }
        assert_eq!((gateway.names("r1"), gateway.names("r3")), (gateway.names("r3"), gateway.names("r1")));
        assert_eq!(gateway.names("r1"), ["SENT", "DELIVERED"]);
        let failed = gateway.published("r2").remove(1);
        assert_eq!(failed.sms_status.to_string(), "FAILED");
        assert_eq!(failed.error_text.as_deref(), Some("undeliverable, error 30003"));
        gateway.stop().await;
    }

    async fn a_receipt_that_overtakes_its_answer_is_parked_and_one_of_an_unknown_outcome_settles_it(test: TestDb) {
        let world = World::new(Default::default()).await;
        let stub = Stub::start(|seen, _| match seen.body.as_str() {
            "Body=lost" => Act::Reset,
            _ => Act::answer(201, "SM7"),
        })
        .await;
        let gateway = Gateway::with(&world, &test, settings(&world, &stub, None)).await;
        let path = format!("/v1/sms/receipts/twilio/{SECRET}");

        form(&gateway.http, &path, "MessageSid=SM7&MessageStatus=delivered").await.assert_status(204);
        assert_eq!(count(&gateway, "SELECT COUNT(*) AS n FROM sms_receipts").await, 1);
        gateway.request(&world.maker.request(ACME, "early", &message("hello"))).await;
        gateway.statuses("early", 2).await;
        assert_eq!(gateway.names("early"), ["SENT", "DELIVERED"]);

        gateway.request(&world.maker.request(ACME, "lost", &message("lost"))).await;
        gateway.statuses("lost", 1).await;
        let receipt = format!("MessageSid=SM8&MessageStatus=delivered&To=%2B{NUMBER}");
        form(&gateway.http, &path, &receipt).await.assert_status(204);
        gateway.statuses("lost", 3).await;
        assert_eq!(gateway.names("lost"), ["FAILED", "SENT", "DELIVERED"]);
        gateway.stop().await;
    }

    async fn only_who_shows_the_secret_is_heard(test: TestDb) {
        let world = World::new(Default::default()).await;
        let stub = Stub::start(|_, _| Act::answer(201, "SM1")).await;
        let good = "MessageSid=SM1&MessageStatus=delivered";
        let in_path = Gateway::with(&world, &test, settings(&world, &stub, None)).await;
        for path in [
            "/v1/sms/receipts/twilio".to_owned(),
            "/v1/sms/receipts/twilio/wrong".into(),
            format!("/v1/sms/receipts/twilio/{SECRET}x"),
            format!("/v1/sms/receipts/other/{SECRET}"),
        ] {
            form(&in_path.http, &path, good).await.assert_status(401);
            in_path.http.get(&format!("{path}?{good}")).await.assert_status(401);
        }
        let bad = format!("/v1/sms/receipts/twilio/{SECRET}");
        form(&in_path.http, &bad, "MessageStatus=delivered").await.assert_status(400);
        assert_eq!(count(&in_path, "SELECT COUNT(*) AS n FROM sms_receipts").await, 0);
        in_path.stop().await;

        let in_header = Gateway::with(&world, &test, settings(&world, &stub, Some("X-Secret"))).await;
        form(&in_header.http, &bad, good).await.assert_status(401);
        let http = &in_header.http;
        let path = format!("/v1/sms/receipts/twilio?{good}");
        http.send(http.request(Method::GET, &path).header("x-secret", "wrong")).await.assert_status(401);
        http.send(http.request(Method::GET, &path).header("x-secret", SECRET)).await.assert_status(204);
        assert_eq!(count(&in_header, "SELECT COUNT(*) AS n FROM sms_receipts").await, 1);
        in_header.stop().await;
    }
}
