//! The gateway on a Kafka that wants TLS and a password.

use reqwest::Method;
use testkit::database::TestDb;
use testkit::kafka::Kafka;
use testkit::wait::wait_for;

use crate::cases::ACME;
use crate::secrecy::{NUMBERS, WHISPER, assert_discreet};
use crate::statuses::Statuses;
use crate::world::{World, simulator, simulator_table};

const WRONG: &str = "wrong-password-1732050807";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_goes_its_whole_way_over_sasl_ssl() {
    let kafka = Kafka::start_secured().await.unwrap();
    let (world, db) = (World::secured(&kafka).await, TestDb::postgres().await);
    let behaviour = smpp::smsc::Behaviour { receipts: Some(Default::default()), ..Default::default() };
    let smsc = simulator(behaviour, 1).await;
    let gateway = world.gateway_with(&db, &simulator_table(&smsc), &[("telemetry.level", "debug")]).await;
    let statuses = Statuses::of(&world.bus, &world.status);
    let text = format!("To: +{NUMBERS}4711\nSender: TEST\n\n{WHISPER}");

    world.request(&world.maker().request(ACME, "secured", &text)).await;

    statuses.wait("secured", 2).await;
    assert_eq!(statuses.names("secured"), [("SENT".to_owned(), false), ("DELIVERED".to_owned(), false)]);
    assert_eq!(smsc.accepted().len(), 1);
    assert_discreet(&gateway).await;
    assert!(!gateway.log().contains(kafka.secured().password()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_says_why_kafka_does_not_let_the_gateway_in() {
    let kafka = Kafka::start_secured().await.unwrap();
    let (world, db) = (World::secured(&kafka).await, TestDb::postgres().await);

    let wrong = [("bus.security.password", WRONG), ("telemetry.level", "debug")];
    let mut gateway = world.prepare(&db.settings().url, "", &wrong);
    let internal = gateway.internal.clone();

    let refused = wait_for("the reason", || async {
        // It does not listen at once.
        let ready = internal.request(Method::GET, "/health/ready").send().await.ok()?;
        let said = if ready.status() == 503 { ready.text().await.ok() } else { None };
        said.filter(|said| said.contains("check sasl_mechanism, username and password in [bus.security]"))
    });
    let said = tokio::select! {
        said = refused => said,
        started = gateway.restart() => panic!("it was let in, or ended: {started:?}"),
    };

    let said = [said, gateway.log()].concat();
    assert!(!said.contains(WRONG) && !said.contains(kafka.secured().password()));
}
