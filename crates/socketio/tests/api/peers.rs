//! Clients that are not ours: they find what they expect.

use futures_util::future::join_all;
use serde_json::{Value, json};
use socketio::conformance::Conformance;
use socketio::{Packet, Settings};
use testkit::peer_client::PeerClient;
use testkit::socketio_peers::SocketIoPeer;

use crate::harness::Host;
use crate::toy::Toy;

/// Events that are sent at once, and come back.
const COUNT: usize = 300;

fn start(peer: SocketIoPeer, host: &Host, namespace: &str, auth: &Value) -> PeerClient {
    let task = json!({"do": "talk", "namespace": namespace, "auth": auth, "count": COUNT});
    peer.start(&format!("http://{}", host.address), task).unwrap()
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

    join_all(SocketIoPeer::all().zip(namespaces).map(async |(peer, namespace)| {
        let mut client = start(peer, &host, namespace, &json!({"token": "abc"}));
        // Not in this order: `auth` is sent when the rest may be done, and some clients say each in a thread of its own.
        for kind in ["connect", "auth", "back", "acknowledged", "counted", "settled"] {
            client.event(kind).await;
        }

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
        assert_eq!(one("settled")["transport"], peer.last_transport(), "{name}");
        assert_eq!(client.events("disconnect"), [Value::Null; 0], "{name}");
    }))
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_asked_and_refused_as_they_expect() {
    let (host, toy, _) = Toy::start(Settings::default());

    for peer in SocketIoPeer::all() {
        let mut client = start(peer, &host, "/", &Value::Null);
        client.event("counted").await;
        let question = Packet::event("question").arg(&1).unwrap().binary(&b"\x01\x02"[..]);
        let answer = toy.client().ask(&question).unwrap().await.unwrap();
        let mut refused = start(peer, &host, "/custom", &json!({"token": "wrong"}));
        let mut lost = start(peer, &host, "/nowhere", &Value::Null);

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
