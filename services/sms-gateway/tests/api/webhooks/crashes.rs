//! A process that is killed, and two that share the work.

use serde_json::json;
use testkit::database::TestDb;
use testkit::on_both;
use testkit::program::{Program, ProgramSettings};
use testkit::webhooks::{Receiver, SECRET};

use super::{hook, ids, numbers, settings};
use crate::cases::{ACME, TEST, message};
use crate::harness::{Gateway, PASSWORD, TEST_KEY, World};

on_both! {
    async fn a_status_that_was_being_sent_when_its_process_was_killed_comes_again_under_its_id(test: TestDb) {
        let (world, receiver) = (World::new(World::with_receipts()).await, Receiver::start(&[SECRET]));
        receiver.answer(&json!({"statuses": [-1]})).await;
        let file = format!(
            r#"
            database.url = "{}"
            [sms_gateway]
            vault = "{}"
            vault_password = "{PASSWORD}"
            http_keys = {{ {TEST_KEY} = "test" }}
            loopback_delay = "20ms"
            loopback_long_delay = "60ms"
            webhook_delivery = {{ timeout = "4s", first_pause = "50ms", longest_pause = "200ms" }}
            [[sms_gateway.webhooks]]
            client = "test"
            url = "{}"
            secrets = ["{SECRET}"]
            "#,
            test.settings().url,
            world.path().join("vault").display(),
            receiver.url("hook"),
        );
        let settings =
            ProgramSettings { name: "sealpost-sms-gateway", file: &file, ..ProgramSettings::default() };
        let mut program = Program::start(settings).await.unwrap();

        let client = program.http.with_token(TEST_KEY);
        for id in ids("a", 3) {
            let request = world.maker.request(TEST, &id, &message("hello"));
            client.post("/v1/sms", &request).await.assert_status(202);
        }
        receiver.asked(1).await;
        program.restart().await.unwrap();
        let taken = receiver.taken(6).await;

        assert_eq!(numbers(&taken), [1, 2, 3, 4, 5, 6]);
        let all = receiver.all().await;
        assert!(all.iter().any(|one| one.status == -1 && one.id == taken[0].id), "{all:?}");
        program.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_share_the_work_and_each_status_comes_once() {
    let test = TestDb::postgres().await;
    let (here, there) = (World::new(World::with_receipts()).await, World::new(World::with_receipts()).await);
    let receiver = Receiver::start(&[SECRET]);
    // Both have the keys and the SMSC of one; each has a bus of its own.
    let own = settings(&here, vec![hook(ACME, &receiver, "acme")]);
    let first = Gateway::with(&here, &test, own.clone()).await;
    let second = Gateway::with(&there, &test, own).await;

    for id in ids("a", 20) {
        first.request(&here.maker.request(ACME, &id, &message("hello"))).await;
    }
    let taken = receiver.taken(40).await;

    assert_eq!(numbers(&taken), (1..=40).collect::<Vec<i64>>());
    second.stop().await;
    first.stop().await;
}
