//! Clients that are not ours: socket.io-client 4 and 3 of npm, python-socketio. Each by polling, by websocket, and by one
//! and then the other.

use std::process::Command;

use futures_util::future::join_all;
use serde_json::{Value, json};
use socketio::conformance::Conformance;
use socketio::{Packet, Settings};
use testkit::peer_client::PeerClient;
use testkit::peers::{node, python};

use crate::harness::Host;
use crate::toy::Toy;

/// Events that are sent at once, and come back.
const COUNT: usize = 300;

/// What each client begins with, by its name and the transport that it ends with.
fn kinds() -> Vec<(String, fn() -> Command, Value)> {
    let npm = || node("socketio.mjs").unwrap();
    let pypi = || python("socketio_client.py").unwrap();
    let programs: [(&str, fn() -> Command, u8); 3] =
        [("socket.io-client 4", npm, 4), ("socket.io-client 3", npm, 3), ("python-socketio", pypi, 5)];
    let transports = [json!(["polling"]), json!(["websocket"]), json!(["polling", "websocket"])];
    let each = programs.into_iter().flat_map(|(name, program, version)| {
        transports.clone().map(|transports| {
            let name = format!("{name}, {transports}");
            (
                name,
                program,
                json!({"do": "talk", "client": version, "transports": transports, "count": COUNT}),
            )
        })
    });
    each.collect()
}

fn start(
    (name, program, mut task): (String, fn() -> Command, Value),
    host: &Host,
    more: &Value,
) -> PeerClient {
    task["url"] = json!(format!("http://{}", host.address));
    for (field, value) in more.as_object().unwrap() {
        task[field] = value.clone();
    }
    PeerClient::start(name, program(), &task).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn binary_data_acknowledgements_namespaces_and_order_are_as_they_expect() {
    // The pings of the suites leave no time to interpreters that share a busy machine.
    let conformance = Conformance::new(&Settings::default());
    let host = Host::start(
        "/socket.io/",
        web::routes(move |config| {
            config.map(|config| conformance.mount(config));
        }),
    );
    let namespaces = ["/", "/custom"].into_iter().cycle();

    join_all(kinds().into_iter().zip(namespaces).map(async |(kind, namespace)| {
        let wanted = kind.2["transports"].as_array().unwrap().last().unwrap().clone();
        let mut client = start(kind, &host, &json!({"namespace": namespace, "auth": {"token": "abc"}}));
        client.event("connect").await;
        client.event("counted").await;
        client.event("settled").await;

        let name = &client.name;
        let one = |kind| match &*client.events(kind) {
            [one] => one.clone(),
            several => panic!("{name}: {kind}: {several:?} in\n{}", client.said()),
        };
        let args = json!([1, "2", {"3": [true, {"hex": "040506"}]}, {"hex": "010203"}]);
        assert_eq!(one("auth")["auth"], json!({"token": "abc"}), "{name}");
        assert_eq!(one("back")["args"], args, "{name}");
        assert_eq!(one("acknowledged")["args"], args, "{name}");
        assert_eq!(one("counted")["ordered"], true, "{name}");
        assert_eq!(one("settled")["transport"], wanted, "{name}");
        assert_eq!(client.events("disconnect"), [Value::Null; 0], "{name}");
    }))
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_asked_and_refused_as_they_expect() {
    let (host, toy, _) = Toy::start(Settings::default());

    for kind in kinds() {
        let mut client = start(kind.clone(), &host, &json!({"namespace": "/"}));
        client.event("counted").await;
        let question = Packet::event("question").arg(&1).unwrap().binary(&b"\x01\x02"[..]);
        let answer = toy.client().ask(&question).unwrap().await.unwrap();
        let mut refused =
            start(kind.clone(), &host, &json!({"namespace": "/custom", "auth": {"token": "wrong"}}));
        let mut lost = start(kind, &host, &json!({"namespace": "/nowhere"}));

        assert_eq!(answer.args.as_str(), r#"[{"_placeholder":true,"num":0},1]"#, "{}", client.name);
        assert_eq!(answer.attachments, [&b"\x01\x02"[..]], "{}", client.name);
        let error = refused.event("connect_error").await;
        assert_eq!(
            (&error["message"], &error["data"]),
            (&json!("Not authorized"), &json!([1])),
            "{}",
            refused.name
        );
        assert_eq!(lost.event("connect_error").await["message"], "Invalid namespace", "{}", lost.name);
    }
    host.stop().await;
}
