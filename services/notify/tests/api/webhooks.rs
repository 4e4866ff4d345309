//! Receivers of webhooks are told who connects and who is present, by requests that the reference library finds genuine.

mod crashes;
mod example;
mod receivers;

use std::time::Duration;

use db::{Db, DbError};
use diesel::prelude::*;
use serde_json::{Value, json};
use testkit::database::TestDb;
use testkit::wait::wait_until;
use testkit::webhooks::{OTHER_SECRET, Received, Receiver, SECRET};

use crate::harness::{Socket, TestApp};
use crate::time::count;

const ALL: [&str; 4] = ["connect", "disconnect", "presence.enter", "presence.leave"];
const PRESENCE: [&str; 2] = ["presence.enter", "presence.leave"];

/// How long a process has a queue to itself: three times as long as a request may take.
const CLAIM: Duration = Duration::from_secs(60);

/// The setting of one receiver.
fn hook(name: &str, url: &str, secrets: &[&str], events: &[&str]) -> String {
    format!("{{name=\"{name}\",url=\"{url}\",secrets={secrets:?},events={events:?}}}")
}

/// Settings under which everything goes quickly, with these receivers. A request is not given up, however long a machine
/// stalls: it would be sent again.
fn settings(hooks: &[String]) -> Vec<(&'static str, String)> {
    vec![
        ("notify.webhooks", format!("[{}]", hooks.join(","))),
        ("notify.presence_gather", "20ms".to_owned()),
        ("notify.webhook_delivery.first_pause", "50ms".to_owned()),
        ("notify.webhook_delivery.longest_pause", "200ms".to_owned()),
        ("notify.webhook_delivery.timeout", "20s".to_owned()),
    ]
}

async fn start(test: &TestDb, settings: &[(&'static str, String)]) -> TestApp {
    TestApp::start_with(test, &borrowed(settings)).await
}

fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// Moves a time in a table back: so much has passed since the process that wrote it has ended.
async fn pass(db: &Db, time: Duration, table: &str, column: &str) {
    let earlier = format!("UPDATE {table} SET {column} = {column} - {}", time.as_millis());
    db.write(move |conn| Ok::<_, DbError>(diesel::sql_query(earlier).execute(conn)?)).await.unwrap();
}

/// A member comes.
async fn come(app: &TestApp, channel: &str, member: &str) -> Socket {
    let token = app.backend.issue(&json!({"channel": channel, "member": member})).await["token"].clone();
    let mut socket = app.connect().await;
    socket.subscribe(&json!({"token": token})).await;
    socket
}

/// What of an event is the same in each run.
fn told(received: &Received) -> (&str, &str, &str) {
    let text = |name: &str| received.body[name].as_str().unwrap_or_default();
    (text("type"), text("channel"), text("member"))
}

fn all_told(received: &[Received]) -> Vec<(&str, &str, &str)> {
    received.iter().map(told).collect()
}

testkit::on_both! {
    async fn who_comes_and_goes_is_told_in_order(test: TestDb) {
        let receiver = Receiver::start(&[SECRET]);
        let app = start(&test, &settings(&[hook("team", &receiver.url("hook"), &[SECRET], &ALL)])).await;

        let alice = come(&app, "a", "alice").await;
        receiver.taken(2).await;
        let again = come(&app, "a", "alice").await;
        receiver.taken(3).await;
        alice.cut();
        receiver.taken(4).await;
        again.cut();
        let all = receiver.taken(6).await;

        let mut told = all_told(&all);
        // Both are of one moment.
        told[..2].sort_unstable();
        told[4..].sort_unstable();
        let of = |kind| (kind, "a", "alice");
        let expected = ["connect", "presence.enter", "connect", "disconnect", "disconnect", "presence.leave"];
        assert_eq!(told, expected.map(of));
        for one in &all {
            assert_eq!(one.body["id"], one.id);
            assert!(one.body["at"].is_i64() && one.body.get("missed").is_none(), "{one:?}");
        }
        let connections: Vec<&Value> =
            all.iter().map(|one| &one.body["connectionId"]).filter(|id| id.is_string()).collect();
        assert_eq!(connections.len(), 4);
        assert_ne!(connections[0], connections[1]);
        assert!(connections[2..].contains(&connections[0]) && connections[2..].contains(&connections[1]));
        app.host.stop().await;
    }

    async fn each_receiver_hears_of_its_own_events_and_channels(test: TestDb) {
        let receiver = Receiver::start(&[SECRET]);
        let orders = hook("orders", &receiver.url("orders"), &[SECRET], &["presence.enter"]);
        let orders = orders.replace("events=", "channels=[\"orders/\"],events=");
        let rest = hook("rest", &receiver.url("rest"), &[SECRET], &["connect"]);
        let app = start(&test, &settings(&[orders, rest])).await;

        let _one = come(&app, "orders/7", "alice").await;
        let _two = come(&app, "chat", "bob").await;
        let _three = app.member("shared").await;
        let mut all = receiver.taken(4).await;

        all.sort_by_key(|one| (one.path.clone(), one.body["channel"].to_string()));
        let paths: Vec<_> = all.iter().map(|one| (one.path.as_str(), told(one))).collect();
        assert_eq!(paths, [
            ("/orders", ("presence.enter", "orders/7", "alice")),
            ("/rest", ("connect", "chat", "bob")),
            ("/rest", ("connect", "orders/7", "alice")),
            ("/rest", ("connect", "shared", "")),
        ]);
        assert!(all[1].body["tokenId"].is_string());
        assert!(all[3].body.get("tokenId").is_none(), "clients share it");
        app.host.stop().await;
    }

    async fn while_a_secret_is_replaced_both_are_good_and_a_wrong_one_is_not(test: TestDb) {
        let (old, new) = (Receiver::start(&[OTHER_SECRET]), Receiver::start(&[SECRET]));
        let hooks = [
            hook("old", &old.url("hook"), &[SECRET, OTHER_SECRET], &PRESENCE),
            hook("new", &new.url("hook"), &[SECRET, OTHER_SECRET], &PRESENCE),
            hook("wrong", &old.url("wrong"), &[SECRET], &PRESENCE),
        ];
        let app = start(&test, &settings(&hooks)).await;

        let _alice = come(&app, "a", "alice").await;
        let (of_old, of_new) = (old.asked(2).await, new.taken(1).await);

        assert!(of_new[0].genuine);
        for one in of_old {
            assert_eq!(one.genuine, one.path == "/hook", "{one:?}");
        }
        app.host.stop().await;
    }

    async fn a_service_that_stops_takes_its_clients_back(test: TestDb) {
        let receiver = Receiver::start(&[SECRET]);
        let settings = settings(&[hook("team", &receiver.url("hook"), &[SECRET], &ALL)]);
        let app = start(&test, &settings).await;
        let _alice = come(&app, "a", "alice").await;
        receiver.taken(2).await;
        let db = app.host.database("notify");
        wait_until("the answers", async || count(&db, "webhook_events").await == 0).await;

        app.host.stop().await;
        // It may have begun to tell of them itself.
        pass(&db, CLAIM, "webhook_queues", "due_at").await;
        let next = start(&test, &settings).await;

        let mut all = receiver.taken(4).await;
        let mut told = all_told(&all.split_off(2)).into_iter().map(|one| one.0.to_owned()).collect::<Vec<_>>();
        told.sort_unstable();
        assert_eq!(told, ["disconnect", "presence.leave"]);
        next.host.stop().await;
    }
}
