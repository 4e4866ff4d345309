//! Notifications out of the box: with the API key that the first start makes, and nothing configured.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::Standalone;
use crate::program::Place;

#[tokio::test]
async fn a_notification_goes_from_a_backend_to_its_client_with_the_key_of_the_first_start() {
    let place = Place::new();
    let server = Standalone::start(&place, "").await;
    let key = server.secret("notify-api-key");
    let call = |path: &str, body: String| {
        let request = server.http.request(reqwest::Method::POST, path).header("authorization", key.clone());
        server.http.send(request.body(body))
    };

    let token = call("/channel/user1", String::new()).await.expect(200).value()["token"].clone();
    let url = format!("/v1/notify/sse?token={}", token.as_str().expect("a token"));
    let mut events = server.http.request(reqwest::Method::GET, &url).send().await.expect("an event stream");
    call("/message/user1", json!({"message": "hello"}).to_string()).await.assert_status(200);

    let mut text = String::new();
    while !text.contains(r#""data":"hello""#) {
        let chunk = timeout(Duration::from_secs(20), events.chunk()).await.expect("an event");
        text.push_str(std::str::from_utf8(&chunk.expect("a stream").expect("more")).expect("text"));
    }
    assert!(text.starts_with("id: 0/") && text.contains("event: subscribed"), "{text}");
    assert!(text.contains("event: message"), "{text}");
}
