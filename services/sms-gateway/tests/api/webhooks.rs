//! Receivers of webhooks get each status of their client, in order, by requests that the reference library finds genuine.

mod crashes;

use std::time::Duration;

use serde_json::json;
use sms_gateway::{Settings, WebhookSettings};
use testkit::on_both;
use testkit::wait::wait_until;
use testkit::webhooks::{Received, Receiver, SECRET};

use crate::cases::{ACME, TEST, message};
use crate::harness::{Gateway, World, metric};

fn hook(client: &str, receiver: &Receiver, path: &str) -> WebhookSettings {
    WebhookSettings {
        name: Some(path.to_owned()),
        client: client.into(),
        url: receiver.url(path).parse().unwrap(),
        secrets: vec![SECRET.parse().unwrap()],
    }
}

/// Settings under which everything goes quickly, but for a receiver that says nothing: one that is slow would be told
/// again what it has taken.
fn settings(world: &World, webhooks: Vec<WebhookSettings>) -> Settings {
    let mut settings = Settings { webhooks, ..world.settings() };
    settings.webhook_delivery.first_pause = Duration::from_millis(50);
    settings.webhook_delivery.longest_pause = Duration::from_millis(200);
    settings.webhook_delivery.timeout = Duration::from_secs(20);
    settings
}

/// Sends messages, and waits until they are delivered.
async fn send(gateway: &Gateway, world: &World, ids: &[String]) {
    for id in ids {
        gateway.request(&world.maker.request(ACME, id, &message("hello"))).await;
    }
    for id in ids {
        gateway.statuses(id, 2).await;
    }
}

fn ids(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
}

fn numbers(received: &[Received]) -> Vec<i64> {
    received.iter().map(|one| one.body["seq"].as_i64().unwrap()).collect()
}

on_both! {
    async fn each_status_of_the_client_comes_once_and_in_order(test: TestDb) {
        let (world, receiver) = (World::new(World::with_receipts()).await, Receiver::start(&[SECRET]));
        let hooks = vec![hook(ACME, &receiver, "acme"), hook(TEST, &receiver, "test")];
        let gateway = Gateway::with(&world, &test, settings(&world, hooks)).await;

        send(&gateway, &world, &ids("a", 5)).await;
        let all = receiver.taken(10).await;

        assert_eq!(numbers(&all), (1..=10).collect::<Vec<i64>>());
        assert!(all.iter().all(|one| one.path == "/acme" && one.body["event-id"] == one.id), "{all:?}");
        let first: Vec<_> = all.iter().filter(|one| one.body["correl-id"] == "a-0").collect();
        let states: Vec<_> = first.iter().map(|one| one.body["sms-status"].clone()).collect();
        assert_eq!(states, ["SENT", "DELIVERED"]);
        assert_eq!(first[0].body["message-id"], "acme:a-0");
        gateway.stop().await;
    }

    async fn a_receiver_that_fails_in_every_way_gets_all_in_order_and_holds_nobody_up(test: TestDb) {
        let (world, receiver) = (World::new(World::with_receipts()).await, Receiver::start(&[SECRET]));
        let mut own = settings(&world, vec![hook(ACME, &receiver, "acme")]);
        own.webhook_delivery.timeout = Duration::from_secs(4);
        let gateway = Gateway::with(&world, &test, own).await;
        receiver.answer(&json!({"statuses": [500, 0, 503, 302], "always": -1})).await;

        // These are all delivered while the receiver is dead.
        send(&gateway, &world, &ids("a", 10)).await;
        receiver.asked(5).await;
        receiver.answer(&json!({"statuses": [429, 204, 500]})).await;
        let taken = receiver.taken(20).await;

        assert_eq!(numbers(&taken), (1..=20).collect::<Vec<i64>>());
        let all = receiver.all().await;
        assert!(all[..5].iter().all(|one| one.id == taken[0].id && one.body == taken[0].body), "{all:?}");
        gateway.stop().await;
    }

    async fn a_dead_receiver_does_not_hold_up_another(test: TestDb) {
        let (world, dead) = (World::new(World::with_receipts()).await, Receiver::start(&[SECRET]));
        let living = Receiver::start(&[SECRET]);
        let hooks = vec![hook(ACME, &dead, "dead"), hook(ACME, &living, "living")];
        let gateway = Gateway::with(&world, &test, settings(&world, hooks)).await;
        dead.answer(&json!({"statuses": [], "always": -1})).await;

        send(&gateway, &world, &ids("a", 3)).await;

        assert_eq!(numbers(&living.taken(6).await), (1..=6).collect::<Vec<i64>>());
        gateway.stop().await;
    }

    async fn a_restart_goes_on_where_the_receiver_was_and_a_new_receiver_begins_with_what_is_new(test: TestDb) {
        let (world, receiver) = (World::new(World::with_receipts()).await, Receiver::start(&[SECRET]));
        let old = hook(ACME, &receiver, "old");
        // A request that the stop cuts off leaves the receiver to its lease, three times as long.
        let own = |hooks| {
            let mut own = settings(&world, hooks);
            own.webhook_delivery.timeout = Duration::from_secs(4);
            own
        };
        let gateway = Gateway::with(&world, &test, own(vec![old.clone()])).await;
        send(&gateway, &world, &ids("a", 1)).await;
        receiver.taken(2).await;
        receiver.answer(&json!({"statuses": [], "always": 503})).await;
        send(&gateway, &world, &ids("b", 1)).await;
        receiver.asked(3).await;
        gateway.stop().await;

        let hooks = vec![old, hook(ACME, &receiver, "new")];
        let gateway = Gateway::with(&world, &test, own(hooks)).await;
        receiver.answer(&json!({"statuses": []})).await;
        receiver.taken(4).await;
        send(&gateway, &world, &ids("c", 1)).await;
        let all = receiver.taken(8).await;

        let of = |path: &str| {
            let of_path: Vec<Received> = all.iter().filter(|one| one.path == path).cloned().collect();
            numbers(&of_path)
        };
        assert_eq!(of("/old"), [1, 2, 3, 4, 5, 6]);
        assert_eq!(of("/new"), [5, 6]);
        gateway.stop().await;
    }

    async fn what_is_refused_or_too_old_is_skipped_and_counted(test: TestDb) {
        let (world, receiver) = (World::new(World::with_receipts()).await, Receiver::start(&[SECRET]));
        let mut own = settings(&world, vec![hook(ACME, &receiver, "acme")]);
        own.webhook_delivery.max_age = Duration::from_secs(8);
        let gateway = Gateway::with(&world, &test, own).await;
        receiver.answer(&json!({"statuses": [400, 204], "always": 503})).await;

        send(&gateway, &world, &ids("a", 1)).await;
        receiver.taken(1).await;
        send(&gateway, &world, &ids("b", 1)).await;
        let skipped = |reason: &str, count: u64| {
            let labels = format!(r#"reason="{reason}",webhook="acme",service="sms-gateway""#);
            format!("sealpost_sms_webhook_skipped_total{{{labels}}} {count}")
        };
        let old = skipped("age", 2);
        wait_until("the end of what is too old", async || metric(&gateway, &old).await).await;
        receiver.answer(&json!({"statuses": []})).await;
        send(&gateway, &world, &ids("c", 1)).await;
        let taken = receiver.taken(3).await;

        assert_eq!(numbers(&taken), [2, 5, 6], "the gap shows that something was skipped");
        assert!(metric(&gateway, &skipped("refused", 1)).await);
        gateway.stop().await;
    }

    async fn a_receiver_that_wants_nothing_is_left_alone_until_the_next_start(test: TestDb) {
        let (world, receiver) = (World::new(World::with_receipts()).await, Receiver::start(&[SECRET]));
        let own = settings(&world, vec![hook(ACME, &receiver, "acme")]);
        let gateway = Gateway::with(&world, &test, own.clone()).await;
        receiver.answer(&json!({"statuses": [410]})).await;

        send(&gateway, &world, &ids("a", 1)).await;
        let stopped = r#"sealpost_sms_webhook_stopped{webhook="acme",service="sms-gateway"} 1"#;
        wait_until("the end", async || metric(&gateway, stopped).await).await;
        send(&gateway, &world, &ids("b", 1)).await;
        assert_eq!(receiver.all().await.len(), 1);
        gateway.stop().await;
        let gateway = Gateway::with(&world, &test, own).await;

        assert_eq!(numbers(&receiver.taken(4).await), [1, 2, 3, 4]);
        gateway.stop().await;
    }
}
