//! The whole way of an SMS in a standalone: from the tools, through the gateway, to an SMSC and back.

use serde_json::Value;
use testkit::kafka::{bootstrap, create_topic, unique};

use super::Standalone;
use crate::program::Place;

/// `sms` options to reach `server` as a client.
pub(super) fn over_http(server: &Standalone, client: &str) -> String {
    let key = server.data.join(format!("secrets/sms-api-key-{client}"));
    format!("--server {} --api-key-file {}", server.url, key.display())
}

/// `sms send` options for a client.
pub(super) fn send(server: &Standalone, client: &str) -> String {
    let key = server.data.join(format!("public/sms-{client}.pub"));
    format!("sms send --client {client} --key {} --sender CLINIC --to +255712345678", key.display())
}

/// The statuses in lines, as (correl-id, state, simulated).
pub(super) fn statuses(lines: &str) -> Vec<(String, String, bool)> {
    let field = |status: &Value, name: &str| status[name].as_str().expect(name).to_owned();
    let read = |line: &str| {
        let status: Value = serde_json::from_str(line).expect("JSON");
        (field(&status, "correl-id"), field(&status, "sms-status"), status["simulated"] == true)
    };
    lines.lines().map(read).collect()
}

#[tokio::test]
async fn an_sms_is_sent_and_delivered_by_the_simulator_which_says_so() {
    let place = Place::new();
    let server = Standalone::start(&place, "").await;
    let http = over_http(&server, "demo");

    let sent = format!("{} {http} --correl-id C1", send(&server, "demo"));
    let accepted = place.sealpost_with(&sent, &["Your appointment is tomorrow"], "").ok();

    assert_eq!(accepted, "C1\t+255*****78\n");
    let heard = place.sealpost(&format!("sms listen statuses --all --count 2 {http}")).ok();
    let expected = ["SENT", "DELIVERED"].map(|state| ("C1".to_owned(), state.to_owned(), true));
    assert_eq!(statuses(&heard), expected);
    let said = server.program.stderr();
    assert!(said.contains("built-in simulator") && said.contains("in memory only"), "{said}");
    assert!(!said.contains("255712345678") && !said.contains("appointment"), "{said}");
}

#[tokio::test]
async fn a_provider_over_http_gets_what_the_simulator_would_have() {
    let place = Place::new();
    let provider = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let there = provider.local_addr().expect("an address");
    let back_end = format!(
        "[[sms_gateway.wasp]]\nname = \"w\"\nurls = [\"http://{there}/wasp\"]\n\
         username = \"clinic\"\npassword = \"between us\"\n"
    );
    place.write("settings.toml", &back_end);
    let server = Standalone::start(&place, "--config settings.toml").await;

    let sent = format!("{} {}", send(&server, "demo"), over_http(&server, "demo"));
    place.sealpost_with(&sent, &["Your appointment is tomorrow"], "").ok();

    let reached = tokio::task::spawn_blocking(move || provider.accept().map(drop)).await;
    reached.expect("a thread").expect("a connection");
    assert!(!server.program.stderr().contains("simulator"), "{}", server.program.stderr());
}

#[tokio::test]
async fn the_loop_back_client_is_answered_and_new_statuses_are_told_from_old_ones() {
    let place = Place::new();
    let server = Standalone::start(&place, "").await;
    let http = over_http(&server, "test");
    let sent = send(&server, "test");
    place.sealpost_with(&format!("{sent} {http} --correl-id old"), &["S1D0"], "").ok();
    place.sealpost(&format!("sms listen statuses --all --count 1 {http}")).ok();

    let mut listening = place.start(&format!("sms listen statuses --count 2 {http}"));
    listening.says("listening").await;
    place.sealpost_with(&format!("{sent} {http} --correl-id new"), &["S1X1"], "").ok();

    assert!(listening.end().await.success());
    let expected = ["SENT", "EXPIRED"].map(|state| ("new".to_owned(), state.to_owned(), false));
    assert_eq!(statuses(&listening.stdout()), expected);
}

#[tokio::test]
async fn many_sms_are_sent_over_http() {
    let place = Place::new();
    let server = Standalone::start(&place, "").await;
    let numbers: String = (0..40).map(|number| format!("+2557000000{number:02}\n")).collect();
    place.write("numbers", &numbers);
    let http = over_http(&server, "demo");

    let accepted = place
        .sealpost_with(
            &format!("{} --to-file numbers {http} --correl-id R", send(&server, "demo")),
            &["Hello"],
            "",
        )
        .ok();

    assert_eq!(accepted.lines().count(), 41);
    let heard = place.sealpost(&format!("sms listen statuses --all --count 82 {http}")).ok();
    let delivered = statuses(&heard).into_iter().filter(|(_, state, _)| state == "DELIVERED").count();
    assert_eq!(delivered, 41);
}

#[tokio::test]
async fn a_wrong_key_is_refused_in_one_line() {
    let place = Place::new();
    let server = Standalone::start(&place, "").await;
    place.write("wrong", "0123456789abcdef");

    let sent = format!("{} --server {} --api-key-file wrong", send(&server, "demo"), server.url);
    let refusal = place.sealpost_with(&sent, &["Hello"], "").refusal();
    let foreign = format!("{} {}", send(&server, "demo"), over_http(&server, "test"));
    let mismatch = place.sealpost_with(&foreign, &["Hello"], "").refusal();

    assert_eq!(refusal, "the gateway answered 401: a valid API key is needed");
    assert_eq!(mismatch, "the gateway answered 403: the API key belongs to another client");
}

#[tokio::test]
async fn accepted_requests_survive_a_kill() {
    let place = Place::new();
    let mut server = Standalone::start(&place, "").await;
    let sent = format!("{} {} --correl-id C1", send(&server, "demo"), over_http(&server, "demo"));

    place.sealpost_with(&sent, &["Hello"], "").ok();
    server.program.kill();
    let server = Standalone::start(&place, "").await;

    let listen = format!("sms listen statuses --all --count 1 {}", over_http(&server, "demo"));
    let heard = statuses(&place.sealpost(&listen).ok());
    assert_eq!(heard[0].0, "C1");
}

#[tokio::test]
async fn with_kafka_configured_the_tools_reach_the_gateway_over_it() {
    let brokers = bootstrap().await;
    let [requests, results, dead] = ["send", "status", "dead"].map(unique);
    for topic in [&requests, &results, &dead] {
        create_topic(brokers, topic, 4).await.expect("a topic");
    }
    let place = Place::new();
    place.write(
        "settings.toml",
        &format!(
            "[bus]\nkind = \"kafka\"\nbrokers = \"{brokers}\"\ngroup_prefix = \"{requests}-\"\n\
             [sms_gateway.topics]\nsend = \"{requests}\"\nstatus = \"{results}\"\ndead = \"{dead}\"\n"
        ),
    );
    let server = Standalone::start(&place, "--config settings.toml").await;

    let sent = format!("{} --brokers {brokers} --topic {requests} --correl-id C1", send(&server, "demo"));
    place.sealpost_with(&sent, &["Hello"], "").ok();

    let heard = place
        .sealpost(&format!("sms listen statuses --all --count 2 --brokers {brokers} --topic {results}"))
        .ok();
    let expected = ["SENT", "DELIVERED"].map(|state| ("C1".to_owned(), state.to_owned(), true));
    assert_eq!(statuses(&heard), expected);
    assert!(!server.data.join("bus.sqlite").exists());
}
