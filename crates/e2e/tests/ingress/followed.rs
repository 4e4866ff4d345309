//! One id of a message, from nginx to the wake-up of a device that is away.

use std::net::Ipv4Addr;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::wait::wait_for;

use crate::device::Device;
use crate::world::World;

/// Waits until a service has a line that tells of a trace and says this.
async fn step(world: &World, service: &str, trace: &str, message: &str) -> Value {
    let found = || async {
        let log = world.log(service);
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut lines = lines.filter(|line| line["target"] == "follow" && line["trace.id"] == trace);
        lines.find(|line| line["message"] == message)
    };
    wait_for(&format!("{service} to say: {message}"), found).await
}

pub(crate) async fn one_id_is_in_the_logs_of_all_that_a_message_comes_to(world: &World) {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let (client, _tunnel) = world.elsewhere(Ipv4Addr::new(127, 0, 0, 4)).await;
    let (sender, away) = (Device::register(&client, "dora").await, Device::register(&client, "emil").await);
    let sender = client.with_token(&sender.token);
    let (path, message) = (away.path(), away.message(b"hello"));

    let forged =
        sender.request(Method::PUT, &path).header("x-request-id", "an-id-of-the-client").json(&message);
    let id = sender.send(forged).await.expect(200).header("x-request-id").unwrap().to_owned();
    let traced =
        sender.request(Method::PUT, &path).header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
    sender.send(traced.json(&message)).await.assert_status(200);

    assert!(world.nginx.log().lines().any(|line| line.ends_with(&id)), "nginx has made up {id}");
    let sent = step(world, "mailbox", &id, "a message was sent").await;
    assert_eq!((&sent["outcome"], &sent["span"]["request.id"]), (&json!("stored"), &json!(id)));
    let woken = step(world, "notify", &id, "a record of the bus is published").await;
    assert_eq!(woken["bus.topic"], "mailbox-events");
    step(world, "mailbox", TRACE, "a message was sent").await;
}
