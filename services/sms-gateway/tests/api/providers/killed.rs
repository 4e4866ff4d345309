//! kill -9 between a request and its answer; and what the process that was killed has written.

use serde_json::{Value, json};
use testkit::program::{Program, ProgramSettings};
use testkit::wait::{wait_for, wait_until};

use super::stub::{Act, Stub};
use super::{NUMBER, PASSWORD, USER};
use crate::cases::{ACME, message};
use crate::harness::{KEY, PASSWORD as VAULT_PASSWORD, World};
use crate::providers::wasp::submitted;

const TEXT: &str = "whispered words";

async fn statuses(gateway: &Program, count: usize) -> Vec<Value> {
    wait_for("statuses", || async {
        let page = gateway.http.with_token(KEY).get("/v1/sms/status").await.expect(200).value();
        let statuses = page["statuses"].as_array().unwrap().clone();
        (statuses.len() >= count).then_some(statuses)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_under_way_when_the_gateway_was_killed_is_unknown_and_not_sent_again() {
    let world = World::new(Default::default()).await;
    let stub = Stub::start(|seen, number| match seen.element("ShortMessage") {
        TEXT if number == 1 => Act::Silent,
        TEXT => submitted(0, "again", ""),
        _ => submitted(9, "", &format!("<StatusText>{TEXT} {NUMBER} {PASSWORD}</StatusText>")),
    })
    .await;
    let file = format!(
        "[sms_gateway]\nvault = \"{}\"\nvault_password = \"{VAULT_PASSWORD}\"\nallowed_clients = [\"acme\"]\n\
         http_keys = {{ \"{KEY}\" = \"acme\" }}\nunknown_after = \"5s\"\n\
         [[sms_gateway.wasp]]\nname = \"vodacom\"\nurls = [\"{}\"]\nusername = \"{USER}\"\npassword = \"{PASSWORD}\"\n\
         [sms_gateway.wasp.connection]\nconnect_timeout = \"1s\"\nresponse_timeout = \"2s\"\n",
        world.path().join("vault").display(),
        stub.url(),
    );
    let settings = ProgramSettings {
        name: "sealpost-sms-gateway",
        file: &file,
        more: &[("telemetry.level", "trace")],
        ..ProgramSettings::default()
    };
    let mut gateway = Program::start(settings).await.unwrap();
    let send = async |gateway: &Program, correl: &str, text: &str| {
        let mut request = world.maker.request(ACME, correl, &message(text));
        request.remove("client-id");
        gateway.http.with_token(KEY).post("/v1/sms", &request).await.assert_status(202);
    };

    send(&gateway, "killed", TEXT).await;
    wait_until("the request", || async { stub.seen().len() == 1 }).await;
    gateway.kill();
    gateway.restart().await.unwrap();

    let told = statuses(&gateway, 1).await;
    assert_eq!((&told[0]["correl-id"], &told[0]["sms-status"]), (&json!("killed"), &json!("FAILED")));
    assert!(told[0]["error-text"].as_str().unwrap().starts_with("outcome unknown"), "{told:?}");
    assert_eq!(stub.seen().len(), 1);

    send(&gateway, "refused", "other words").await;
    let told = statuses(&gateway, 2).await;
    assert_eq!(told[1]["error-text"], "vodacom refused the message: code 9");
    let metrics = gateway.internal.get("/metrics").await.expect(200).text();
    let counted =
        |line: &&str| line.starts_with("sealpost_sms_outcomes_total{") && line.contains("\"refused\"");
    assert!(metrics.lines().find(counted).unwrap().ends_with(" 1"), "{metrics}");
    let log = gateway.log();
    for private in ["whispered", "other words", &NUMBER[3..], PASSWORD] {
        for (place, text) in [("the log", &log), ("the metrics", &metrics)] {
            let line = text.lines().find(|line| line.contains(private));
            assert_eq!(line, None, "{place} tells {private:?}");
        }
    }
}
