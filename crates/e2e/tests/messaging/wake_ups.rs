//! A device that is away hears on the channel of its account that something waits for it, and not what.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use testkit::host::Apps;
use tokio::time::timeout;

use crate::harness::{Front, all_three, launch};
use crate::people::Person;

fn with_notify() -> Apps {
    all_three().and::<notify::App>()
}

testkit::on_both! {
    async fn a_message_for_a_device_that_is_away_wakes_its_account_without_content(db: TestDb) {
        let more = [
            ("notify.auth_keys.backend", "an API key of no importance"),
            ("notify.token_key", "a secret of no importance here"),
        ];
        let host = launch(with_notify(), &db, &more).await;
        host.started().await;
        let front = Front::one(&host.url);
        let (_, alice) = Person::with_device(&front).await;
        let (bob, phone) = Person::with_device(&front).await;
        let http = host.http.with_token(&phone.token);
        let mut events = http.request(Method::GET, "/v1/notify/sse").send().await.unwrap();

        alice.send(&[&phone], "what nobody else may read").await.assert_status(200);

        let mut text = String::new();
        while !text.contains("messages.available") {
            let chunk = timeout(Duration::from_secs(20), events.chunk()).await.expect("an event");
            text.push_str(std::str::from_utf8(&chunk.unwrap().expect("a stream")).unwrap());
        }
        let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).next_back().unwrap();
        let frame: Value = serde_json::from_str(data).unwrap();
        assert_eq!(frame["channel"], format!("account:{}", bob.account));
        assert_eq!(frame["data"]["accountId"], bob.account.to_string());
        let mut told: Vec<_> = frame["data"].as_object().unwrap().keys().map(String::as_str).collect();
        told.sort_unstable();
        assert_eq!(told, ["accountId", "at", "deviceId", "type", "urgent"]);
        front.secrets.assert_absent("a wake-up", &text);
        host.stop().await;
    }
}
