//! A broker behind TLS that wants to know its clients, too.

use serde_json::{Value, json};
use testkit::database::TestDb;
use testkit::rabbitmq::SecuredRabbitMq;
use testkit::wait::wait_until;

use crate::harness::{TestApp, mail};
use crate::publishing::{Reader, metric};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relay_and_the_live_fan_out_share_a_broker_and_its_certificates() {
    let (test, broker) = (TestDb::sqlite().await, SecuredRabbitMq::start().await.unwrap());
    let tls = broker.tls();
    let file = |path: Option<std::path::PathBuf>| path.unwrap().display().to_string();
    let (url, ca) = (broker.url(), file(tls.ca_file));
    let (certificate, key) = (file(tls.certificate_file), file(tls.key_file));
    let more = [
        ("live.url", &*url),
        ("live.tls.ca_file", &*ca),
        ("live.tls.certificate_file", &*certificate),
        ("live.tls.key_file", &*key),
    ];
    let app = TestApp::start_with(&test, &more).await;
    wait_until("the broker", || async { metric(&app, "broker_connected").await == 1 }).await;
    let client = app.client(&json!({})).await;

    client.forward(&mail("over tls")).await.assert_status(200);

    let message = Reader::connect(&broker.node.url()).await.take("default-smswithoutborders-queue").await;
    let body: Value = serde_json::from_slice(&message.data).unwrap();
    assert_eq!(body["message"], "g:a@b.c:::Hi:over tls");
    app.host.stop().await;
}
