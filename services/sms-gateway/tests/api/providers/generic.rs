//! Providers that the settings describe: the examples of `docs/sms-http-backends.md` as they stand, and what may happen.

use std::path::Path;

use config::Config;
use sms_gateway::{HttpSettings, Settings};
use testkit::on_both;
use testkit::wait::wait_until;

use super::stub::{Act, Door, Seen, Stub, free_port};
use super::{LATE, NUMBER, connection, impatient};
use crate::cases::{ACME, message};
use crate::harness::{Gateway, World, count};

const DOC: &str = include_str!("../../../../../docs/sms-http-backends.md");
const SECRET: &str = "s3cret-of-the-provider";

/// In place of an id that is the gateway's own.
const OURS: &str = "ours";

/// Reads the settings below a heading of the document, with the provider's host and the file of the secret exchanged.
fn example(heading: &str, folder: &Path, port: u16) -> HttpSettings {
    let (_, below) = DOC.split_once(&format!("### {heading}\n")).unwrap();
    let (_, from) = below.split_once("```toml\n").unwrap();
    let (toml, _) = from.split_once("```").unwrap();
    let url = toml.lines().find(|line| line.starts_with("url = ")).unwrap();
    let path = url.split('/').skip(3).collect::<Vec<_>>().join("/");
    let file = toml.lines().find(|line| line.starts_with("password_file = ")).unwrap();
    let secret = folder.join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let receipts = toml.lines().find(|line| line.starts_with("secret_file = ")).unwrap();
    let toml = toml
        .replace(receipts, &format!("secret_file = \"{}\"", secret.display()))
        .replace(url, &format!("url = \"http://127.0.0.1:{port}/{path}"))
        .replace(file, &format!("password_file = \"{}\"", secret.display()));
    let settings = folder.join("settings.toml");
    std::fs::write(&settings, toml).unwrap();
    let config = Config::load(Some(&settings), [], []).unwrap();
    let mut settings: Settings = config.section("sms_gateway").unwrap();
    assert_eq!(settings.faults(), []);
    let shown = format!("{settings:?}");
    assert!(!shown.contains(SECRET), "{shown}");
    let mut http = settings.http.remove(0);
    http.connection = connection();
    http
}

fn only(world: &World, http: HttpSettings) -> Settings {
    Settings { smsc: Vec::new(), http: vec![http], ..world.settings() }
}

/// The pairs of a query or form.
fn pairs(encoded: &str) -> Vec<(String, String)> {
    let pairs = url::form_urlencoded::parse(encoded.as_bytes());
    pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn value(pairs: &[(String, String)], name: &str) -> String {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

/// Sends each text and compares status, recall-id and error text.
async fn check(gateway: &Gateway, world: &World, rows: &[(&str, &str, Option<&str>, &str)]) {
    for (text, ..) in rows {
        gateway.request(&world.maker.request(ACME, text, &message(text))).await;
    }
    for (text, status, id, why) in rows {
        let statuses = gateway.statuses(text, 1).await;
        assert_eq!(gateway.names(text), [*status], "{text}");
        let found = statuses[0].recall_id.as_deref();
        assert!(found == *id || *id == Some(OURS) && found.is_some(), "{text}: {found:?}");
        let error = statuses[0].error_text.clone().unwrap_or_default();
        assert!(error.contains(why) && error.is_empty() == why.is_empty(), "{text}: {error}");
        assert!(!error.contains(NUMBER) && !error.contains(SECRET), "{text}: {error}");
    }
}

fn twilio(seen: &Seen, number: usize) -> Act {
    let form = pairs(&seen.body);
    let refusal = format!(
        "{{\"code\":21211,\"message\":\"The 'To' number +{NUMBER} is not a valid phone number.\",\"status\":400}}"
    );
    match value(&form, "Body").as_str() {
        "slow down" if number == 1 => Act::Answer(
            429,
            "retry-after: 1\r\n",
            "{\"code\":20429,\"message\":\"Too Many Requests\"}".into(),
        ),
        "bad number" => Act::answer(400, refusal),
        "broken" => Act::answer(503, "{\"code\":20503}"),
        _ => {
            Act::answer(201, format!("{{\"sid\":\"SM{number}\",\"status\":\"queued\",\"error_code\":null}}"))
        }
    }
}

fn vonage(seen: &Seen, number: usize) -> Act {
    let body: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
    let answer = |status: &str, more: &str| {
        Act::answer(
            200,
            format!("{{\"message-count\":\"1\",\"messages\":[{{\"status\":\"{status}\"{more}}}]}}"),
        )
    };
    match body["text"].as_str().unwrap() {
        "slow down" if number == 1 => {
            answer("1", ",\"error-text\":\"Throughput Rate Exceeded - please wait\"")
        }
        "no credit" => answer("9", ",\"error-text\":\"Quota Exceeded - rejected\""),
        "broken" => answer("5", ",\"error-text\":\"Internal Error\""),
        "cut off" => Act::answer(200, "{\"message-count\":\"1\",\"mess"),
        _ => answer("0", &format!(",\"message-id\":\"0C0000{number}\"")),
    }
}

on_both! {
    async fn the_example_for_twilio_works(test: TestDb) {
        let world = World::new(Default::default()).await;
        let stub = Stub::start(twilio).await;
        let gateway = Gateway::with(&world, &test, only(&world, example("Twilio", world.path(), stub.port))).await;

        check(&gateway, &world, &[("slow down", "SENT", Some("SM2"), "")]).await;
        check(&gateway, &world, &[
            ("bad number", "FAILED", None, "twilio refused the message: HTTP 400, 21211, The 'To' number +… is not"),
            ("broken", "FAILED", None, "outcome unknown"),
        ]).await;

        let seen = &stub.seen()[0];
        let form = pairs(&seen.body);
        assert_eq!(seen.line, "POST /2010-04-01/Accounts/ACxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/Messages.json HTTP/1.1");
        assert!(seen.header("authorization").unwrap().starts_with("Basic QUN4"));
        assert_eq!((value(&form, "To"), value(&form, "From")), (format!("+{NUMBER}"), "TEST".into()));
        assert_eq!(value(&form, "ValidityPeriod"), "14400");
        assert_eq!(stub.seen().len(), 4);
        gateway.stop().await;
    }

    async fn the_example_for_vonage_works(test: TestDb) {
        let world = World::new(Default::default()).await;
        let stub = Stub::start(vonage).await;
        let gateway = Gateway::with(&world, &test, only(&world, example("Vonage", world.path(), stub.port))).await;

        check(&gateway, &world, &[("slow down", "SENT", Some("0C00002"), "")]).await;
        check(&gateway, &world, &[
            ("no credit", "FAILED", None, "vonage refused the message: HTTP 200, 9, Quota Exceeded - rejected"),
            ("broken", "FAILED", None, "outcome unknown"),
            ("cut off", "FAILED", None, "outcome unknown"),
        ]).await;
        check(&gateway, &world, &[("\"}, ж {text}", "SENT", Some("0C00006"), "")]).await;

        let bodies: Vec<serde_json::Value> =
            stub.seen().iter().map(|seen| serde_json::from_str(&seen.body).unwrap()).collect();
        assert_eq!((&bodies[0]["api_secret"], &bodies[0]["to"]), (&SECRET.into(), &NUMBER.into()));
        assert_eq!((&bodies[0]["type"], &bodies[5]["type"]), (&"text".into(), &"unicode".into()));
        // The same message, sent again after it was not taken.
        assert_eq!(bodies[0]["client-ref"], bodies[1]["client-ref"]);
        assert_eq!(bodies.len(), 6);
        gateway.stop().await;
    }

    async fn the_example_for_kannel_works(test: TestDb) {
        let world = World::new(Default::default()).await;
        let stub = Stub::start(|seen, number| {
            let (_, query) = seen.line.split_once('?').unwrap();
            let query = pairs(query.split(' ').next().unwrap());
            match value(&query, "text").as_str() {
                "slow down" if number == 1 => Act::answer(503, "Temporal failure, try again later."),
                "refused" => Act::answer(403, "Authorization failed for sendsms"),
                "odd" => Act::answer(202, "4: What is this?"),
                _ => Act::answer(202, "0: Accepted for delivery"),
            }
        })
        .await;
        let gateway = Gateway::with(&world, &test, only(&world, example("Kannel", world.path(), stub.port))).await;

        check(&gateway, &world, &[("slow down", "SENT", Some(OURS), "")]).await;
        check(&gateway, &world, &[
            ("refused", "FAILED", None, "kannel refused the message: HTTP 403"),
            ("odd", "FAILED", None, "outcome unknown"),
            ("a&to=+1#ж", "SENT", Some(OURS), ""),
        ]).await;

        let seen = stub.seen();
        let last = seen.iter().find(|seen| seen.line.contains("%23")).unwrap();
        let (path, query) = last.line.split_once('?').unwrap();
        let query = pairs(query.split(' ').next().unwrap());
        assert_eq!((path, last.body.as_str()), ("GET /cgi-bin/sendsms", ""));
        assert_eq!((value(&query, "text"), value(&query, "to")), ("a&to=+1#ж".into(), format!("+{NUMBER}")));
        assert_eq!((value(&query, "coding"), value(&query, "password")), ("2".into(), SECRET.into()));
        assert_eq!(query.len(), 9);
        let reference = gateway.published("a&to=+1#ж")[0].recall_id.clone().unwrap();
        let back = format!("https://sms.example.org/v1/sms/receipts/kannel/{SECRET}?id={reference}&state=%d");
        assert_eq!(value(&query, "dlr-url"), back);
        gateway.stop().await;
    }

    async fn what_is_certainly_not_sent_waits_for_the_provider(test: TestDb) {
        let world = World::new(Default::default()).await;
        let port = free_port();
        let gateway = Gateway::with(&world, &test, only(&world, example("Twilio", world.path(), port))).await;
        gateway.request(&world.maker.request(ACME, "waits", &message("hello"))).await;
        wait_until("a try that failed", || async {
            count(&gateway, "SELECT COUNT(*) AS n FROM sms_jobs WHERE tries > 0 AND state = 'queued'").await == 1
        }).await;

        let stub = Stub::with(port, Door::Open, None, twilio).await;

        gateway.statuses("waits", 1).await;
        assert_eq!((gateway.names("waits"), stub.seen().len()), (vec!["SENT".into()], 1));
        gateway.stop().await;
    }

    async fn an_answer_that_does_not_come_is_unknown_and_a_body_that_does_not_end_is_not_needed(test: TestDb) {
        let world = World::new(Default::default()).await;
        let stub = Stub::start(|seen, _| match value(&pairs(&seen.body), "Body").as_str() {
            "reset" => Act::Reset,
            "silent" => Act::Silent,
            "late" => Act::Late(LATE, Box::new(Act::answer(201, "{\"sid\":\"SM9\"}"))),
            "huge" => Act::answer(201, format!("{{\"sid\":\"SM1\",\"pad\":\"{}\"}}", "x".repeat(10_000))),
            "cut off" => Act::Raw(b"HTTP/1.1 201 Created\r\ncontent-length: 99\r\n\r\n{\"sid\":".to_vec()),
            other => panic!("{other}"),
        })
        .await;
        let twilio = HttpSettings { connection: impatient(), ..example("Twilio", world.path(), stub.port) };
        let gateway = Gateway::with(&world, &test, only(&world, twilio)).await;

        check(&gateway, &world, &[
            ("reset", "FAILED", None, "outcome unknown"),
            ("silent", "FAILED", None, "outcome unknown"),
            ("late", "FAILED", None, "outcome unknown"),
            ("huge", "SENT", None, ""),
            ("cut off", "SENT", None, ""),
        ]).await;

        assert_eq!(stub.seen().len(), 5);
        gateway.stop().await;
    }
}
