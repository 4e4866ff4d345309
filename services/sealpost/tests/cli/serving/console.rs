//! The console, in a real browser.

use serde_json::{Value, json};
use testkit::peer_client::PeerClient;
use testkit::peers::node;
use testkit::wait::wait_until;

use super::Standalone;
use super::accounts::person;
use crate::program::Place;

/// The texts of a step under `name`.
fn texts(step: &Value, name: &str) -> Vec<String> {
    let texts = step[name].as_array().expect(name).iter();
    texts.map(|text| text.as_str().expect("a text").replace(['\t', '\n'], " ")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sees_what_runs_finds_a_message_and_an_account_and_pauses_an_smsc() {
    let place = Place::new();
    let server = Standalone::start(&place, "").await;
    let key = server.data.join("public/sms-demo.pub");
    let api_key = server.data.join("secrets/sms-api-key-demo");
    let http = format!("--server {} --api-key-file {}", server.url, api_key.display());
    let to = "--to +255712345678 --sender CLINIC --correl-id C1";
    place.sealpost(&format!("sms send hello --client demo --key {} {to} {http}", key.display())).ok();
    place.sealpost(&format!("sms listen statuses --all --count 2 {http}")).ok();
    let alice = person(&server, "alice").await;
    let token = server.secret("admin-token");
    let task = json!({"url": server.internal_url, "token": token, "client": "demo", "correl": "C1", "account": "alice"});

    let mut browser = PeerClient::start("the console", node("console.mjs").unwrap(), &task).unwrap();

    for _ in ["wide", "phone"] {
        let watched = browser.event("watched").await;
        let checks = texts(&watched, "checks");
        assert!(checks.len() >= 10 && checks.iter().all(|check| check.ends_with(" ok")), "{checks:?}");
        assert!(texts(&watched, "plots").iter().any(|plot| plot.starts_with("SMS a second")), "{watched}");
        assert!(texts(&watched, "binds")[0].contains("needs the token"), "{watched}");
        let found = texts(&browser.event("found").await, "rows");
        assert!(found[0].starts_with("demo C1 delivered simulator 1 "), "{found:?}");
        assert!(found[1].starts_with("1 simulator accepted "), "{found:?}");
        assert!(found[2].starts_with("SENT ") && found[3].starts_with("DELIVERED "), "{found:?}");
        let account = browser.event("account").await;
        let facts = texts(&account, "facts");
        assert_eq!(facts[..3], ["alice", &alice.account, "native"]);
        assert_eq!((facts[6].as_str(), facts[8].as_str()), ("a*****@example.org (not verified)", "no"));
        let rows = texts(&account, "rows");
        assert!(
            rows[0].starts_with("1 native active ") && rows[0].contains(" 3 one-time, 3 Kyber "),
            "{rows:?}"
        );
        assert_eq!(rows[1], "1 native 0 0 –");
        let blocked = texts(&browser.event("blocked").await, "facts");
        assert!(blocked[8].ends_with(": sells what is not hers") && blocked[4] == "0", "{blocked:?}");
        // The block waits but a second for the services to hear of it; then they hear of it by the bus.
        wait_until("alice's token to be refused", || async {
            alice.client.get("/v1/messages").await.status == 401
        })
        .await;
        assert_eq!(texts(&browser.event("unblocked").await, "facts")[8], "no");
        assert_eq!(texts(&browser.event("newest").await, "facts")[0], "alice");
        assert_eq!(browser.event("focused").await["text"], "pause", "its button outlives a look");
        assert!(texts(&browser.event("paused").await, "binds")[0].contains("paused resume"));
        assert_eq!(texts(&browser.event("reloaded").await, "rows"), ["vault ok"]);
        let audit = texts(&browser.event("audit").await, "rows");
        assert!(
            audit[0].contains("reload")
                && audit[1].contains("bind.resume")
                && audit[2].contains("bind.pause"),
            "{audit:?}"
        );
        let left = browser.event("left").await;
        assert!(left["wider"].as_i64().unwrap() <= 0, "it fits the screen: {left}");
        assert_eq!(left["kept"], 0, "the token is nowhere but in memory");
    }
    browser.event("done").await;
    // A refusal is an answer with an error, of which the browser tells by itself.
    let complaints: Vec<Value> = browser.events("complaint");
    assert!(complaints.iter().all(|one| one["text"].as_str().unwrap().contains("401")), "{complaints:?}");
    assert_eq!(browser.events("stranger"), [Value::Null; 0]);
    assert!(!server.program.stderr().contains(&token));
    server.stop().await;
}
