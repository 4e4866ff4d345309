//! `POST /v1/sms` and `GET /v1/sms/status`.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::http::Answer;
use testkit::on_both;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::cases::{ACME, FAR, TEST, message};
use crate::harness::{Gateway, KEY, TEST_KEY, World};

on_both! {
    async fn a_request_is_taken_and_its_statuses_are_read(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let gateway = Gateway::start(&world, &test).await;
        let client = gateway.http.with_token(KEY);
        let mut request = world.maker.request(ACME, "posted", &message("hello"));
        request.remove("client-id");

        let taken = client.post("/v1/sms", &request).await.expect(202).value();

        assert_eq!(taken, json!({ "clientId": "acme", "correlId": "posted" }));
        gateway.statuses("posted", 2).await;
        let page = client.get("/v1/sms/status").await.expect(200).value();
        assert_eq!(page["next"], 2);
        let names: Vec<&Value> =
            page["statuses"].as_array().unwrap().iter().map(|one| &one["sms-status"]).collect();
        assert_eq!(names, ["SENT", "DELIVERED"]);
        assert_eq!(page["statuses"][0]["seq"], 1);
        assert_eq!(page["statuses"][0]["correl-id"], "posted");
        assert_eq!(page["statuses"][0]["simulated"], true);
        let rest = client.get("/v1/sms/status?after=1&limit=1").await.expect(200).value();
        assert_eq!(rest["statuses"].as_array().unwrap().len(), 1);
        assert_eq!(rest["statuses"][0]["seq"], 2);
        let spelled = format!(r#"{{"correl-id":1.50,"deadline":"{FAR}","payload":"AAAA","class":null}}"#);
        let spelled = client.request(Method::POST, "/v1/sms").header("content-type", "application/json").body(spelled);
        assert_eq!(client.send(spelled).await.expect(202).value()["correlId"], "1.50");
        // Another client sees none of it.
        let other = gateway.http.with_token(TEST_KEY).get("/v1/sms/status").await.expect(200).value();
        assert_eq!(other, json!({ "statuses": [], "next": 0 }));
        gateway.stop().await;
    }

    async fn bad_input_is_told_with_its_place(test: TestDb) {
        let world = World::new(Default::default()).await;
        let gateway = Gateway::start(&world, &test).await;
        let client = gateway.http.with_token(KEY);
        let good = json!({ "correl-id": "c", "deadline": FAR, "payload": "AAAA" });
        let changed = |name: &str, value: Value| {
            let mut body = good.clone();
            body[name] = value;
            body
        };

        for (body, status, pointer) in [
            (changed("correl-id", Value::Null), 400, Some("/correl-id")),
            (changed("correl-id", "a\0b".into()), 400, Some("/correl-id")),
            (changed("payload", Value::Null), 400, Some("/payload")),
            (changed("deadline", Value::Null), 400, Some("/deadline")),
            (changed("deadline", "tomorrow".into()), 400, Some("/deadline")),
            (changed("deadline", json!({})), 400, Some("")),
            (changed("class", "urgent".into()), 400, Some("/class")),
            (changed("client-id", "test".into()), 403, None),
            (json!([1]), 400, Some("")),
        ] {
            let answer = client.post("/v1/sms", &body).await.expect(status);
            let problem = answer.problem();
            let pointers: Vec<_> = problem.errors.iter().map(|error| error.pointer.as_str()).collect();
            assert_eq!(pointers.first().copied(), pointer, "{body}");
        }
        for query in ["after=-1", "after=x", "limit=0", "limit=1001", "timeout=31", "since=1"] {
            refused(client.get(&format!("/v1/sms/status?{query}")).await, 400);
        }
        let broken = client.request(Method::POST, "/v1/sms").header("content-type", "application/json").body("{");
        refused(client.send(broken).await, 400);
        let plain = client.request(Method::POST, "/v1/sms").header("content-type", "text/plain").body("{}");
        refused(client.send(plain).await, 415);
        refused(client.get("/v1/sms").await, 405);
        refused(gateway.http.get("/v1/sms/status").await, 401);
        refused(gateway.http.with_token("another-key-0123456789").post("/v1/sms", &good).await, 401);
        gateway.stop().await;
    }

    async fn a_reader_waits_for_the_next_status(test: TestDb) {
        let world = World::new(Default::default()).await;
        let gateway = Gateway::start(&world, &test).await;
        let client = gateway.http.with_token(TEST_KEY);

        client.get("/v1/sms/status?timeout=0").await.assert_status(200);
        let waiting = tokio::spawn(async move { client.get("/v1/sms/status?timeout=20").await.value() });
        gateway.request(&world.maker.request(TEST, "awaited", "To: +1\n\nS0D1")).await;

        assert_eq!(waiting.await.unwrap()["statuses"][0]["correl-id"], "awaited");
        gateway.stop().await;
    }

    async fn an_event_stream_resumes_where_it_was_cut(test: TestDb) {
        let world = World::new(Default::default()).await;
        let gateway = Gateway::start(&world, &test).await;
        let client = gateway.http.with_token(TEST_KEY);
        let open = |last: Option<&str>| {
            let request = client.request(Method::GET, "/v1/sms/status").header("accept", "text/event-stream");
            match last {
                Some(id) => request.header("last-event-id", id),
                None => request,
            }
        };

        let mut stream = open(None).send().await.unwrap();
        assert_eq!(stream.headers()["content-type"], "text/event-stream");
        gateway.request(&world.maker.request(TEST, "first", "To: +1\n\nS1D1")).await;
        let seen = read_until(&mut stream, "DELIVERED").await;
        drop(stream);
        gateway.request(&world.maker.request(TEST, "second", "To: +1\n\nS0X1")).await;
        let mut resumed = open(Some("1")).send().await.unwrap();
        let again = read_until(&mut resumed, "EXPIRED").await;

        assert!(seen.contains("id: 1\n") && seen.contains("id: 2\n"), "{seen}");
        assert!(!again.contains("id: 1\n") && again.contains("id: 2\n") && again.contains("id: 3\n"), "{again}");
        refused(client.send(open(Some("x"))).await, 400);
        gateway.stop().await;
    }
}

fn refused(answer: Answer, status: u16) {
    assert_eq!(answer.expect(status).problem().status, status);
}

async fn read_until(stream: &mut reqwest::Response, word: &str) -> String {
    let mut text = String::new();
    while !text.contains(word) {
        let chunk = tokio::time::timeout(Duration::from_secs(10), stream.chunk()).await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_readers_that_wait() {
    let test = testkit::database::TestDb::sqlite().await;
    let world = World::new(Default::default()).await;
    let gateway = Gateway::start(&world, &test).await;
    let client = gateway.http.with_token(TEST_KEY);
    let reading = client.request(Method::GET, "/v1/sms/status").header("accept", "text/event-stream");
    let mut stream = reading.send().await.unwrap();
    let url = client.request(Method::GET, "/").build().unwrap().url().clone();
    let mut polling = TcpStream::connect(url.authority()).await.unwrap();
    poll(&mut polling, 0).await;
    assert!(polled(&mut polling).await.starts_with("HTTP/1.1 200 "));

    // The only worker takes what comes in its order: when it answers a later request, it has this one.
    poll(&mut polling, 30).await;
    refused(client.get("/v1/sms").await, 405);
    tokio::time::timeout(Duration::from_secs(20), gateway.stop()).await.unwrap();

    assert!(polled(&mut polling).await.starts_with("HTTP/1.1 200 "));
    let end = async { while stream.chunk().await.unwrap().is_some() {} };
    tokio::time::timeout(Duration::from_secs(20), end).await.unwrap();
}

/// Asks for statuses over a connection by hand, so that the request has been written when this returns.
async fn poll(connection: &mut TcpStream, timeout: u8) {
    let request = format!(
        "GET /v1/sms/status?timeout={timeout} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {TEST_KEY}\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).await.unwrap();
}

/// Reads the answer, which has no status in it.
async fn polled(connection: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(br#""next":0}"#) {
        let read = tokio::time::timeout(Duration::from_secs(20), connection.read_buf(&mut answer)).await;
        assert!(read.unwrap().unwrap() > 0, "closed");
    }
    String::from_utf8(answer).unwrap()
}
