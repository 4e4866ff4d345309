//! Joining and leaving namespaces (Socket.IO protocol, "Connection to a namespace", "Disconnection").

use std::time::{Duration, Instant};

use serde_json::Value;
use socketio::{Packet, Reason, SendError, Settings};

use crate::toy::{Told, Toy};

#[tokio::test]
async fn each_connect_gets_an_id_of_its_own() {
    let (host, toy, _) = Toy::start(Settings::default());
    let mut socket = host.socket("EIO=4&transport=websocket").await;
    let handshake: Value = serde_json::from_str(&socket.text().await[1..]).unwrap();
    let mut ids = vec![handshake["sid"].as_str().unwrap().to_owned()];

    for (connect, reply) in [
        ("40", "40"),
        (r#"40/custom,{"token":"x"}"#, "40/custom,"),
        ("41/custom", ""),
        ("40/custom", "40/custom,"),
    ] {
        socket.send(connect).await;
        if !reply.is_empty() {
            let text = socket.text().await;
            let data: Value = serde_json::from_str(text.strip_prefix(reply).unwrap()).unwrap();
            assert_eq!(data.as_object().unwrap().len(), 1);
            ids.push(data["sid"].as_str().unwrap().to_owned());
        }
    }

    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "{ids:?}");
    assert_eq!(
        toy.client().kept::<String>().map(String::as_str),
        Some(""),
        "credentials are those of this connect"
    );
    host.stop().await;
}

#[tokio::test]
async fn a_refused_connect_gets_its_reason_and_the_transport_stays() {
    let (host, toy, _) = Toy::start(Settings::default());
    let mut socket = host.open().await;

    socket.send("40/unknown").await;
    assert_eq!(socket.text().await, r#"44/unknown,{"message":"Invalid namespace"}"#);
    socket.send(r#"40{"password":"wrong"}"#).await;
    assert_eq!(socket.text().await, r#"44{"message":"Not authorized","data":[1]}"#);
    assert_eq!(toy.told(), []);

    socket.send("40").await;
    assert!(socket.text().await.starts_with("40{"));
    assert_eq!(toy.told(), [Told::Connected("/".to_owned())]);
    host.stop().await;
}

#[tokio::test]
async fn namespaces_are_left_one_by_one() {
    let (host, toy, _) = Toy::start(Settings::default());
    let mut socket = host.join().await;
    socket.send("40/custom").await;
    assert!(socket.text().await.starts_with("40/custom,{"));

    socket.send("41/custom").await;
    socket.send(r#"42["a",1]"#).await;

    assert_eq!(socket.text().await, r#"42["back",1]"#);
    let left = Told::Disconnected("/custom".to_owned(), Reason::ClientLeft);
    assert!(toy.told().contains(&left));
    socket.send("41").await;
    socket.send("40").await;
    assert!(socket.text().await.starts_with("40{"), "the transport stays, and nothing is answered before");
    host.stop().await;
}

#[tokio::test]
async fn packets_for_a_namespace_that_is_not_joined_close_the_transport() {
    let (host, toy, server) = Toy::start(Settings::default());
    for (before, packet) in [
        (None, r#"42["a"]"#),
        (None, "41"),
        (None, "431[]"),
        (Some("40"), "40"),
        (Some("40"), r#"42/custom,["a"]"#),
        (Some("40"), "41/custom"),
        (Some("40"), r#"44{"message":"x"}"#),
    ] {
        let mut socket = host.open().await;
        if let Some(before) = before {
            socket.send(before).await;
            socket.text().await;
        }

        socket.send(packet).await;

        socket.assert_closed(1002).await;
    }
    assert!(server.stats().ended.contains(&("malformed", 7)));
    assert!(!toy.told().iter().any(|told| matches!(told, Told::Event(_))));
    host.stop().await;
}

#[tokio::test]
async fn whoever_joins_nothing_is_closed_in_time() {
    // Enough for those that are to do something before, on a busy machine.
    let connect_timeout = Duration::from_secs(6);
    let (host, _, _) = Toy::start(Settings { connect_timeout, ..Settings::default() });
    let started = Instant::now();
    let mut silent = host.open().await;
    let mut refused = host.open().await;
    let polling = host.poll().await;
    let mut joined = host.join().await;
    joined.send("41").await;
    refused.send("40/unknown").await;
    assert!(refused.text().await.starts_with("44"));

    silent.assert_closed(1008).await;
    refused.assert_closed(1008).await;
    assert!(started.elapsed() >= connect_timeout);
    // Held or asked for, a poll learns it.
    let last = polling.get().await;
    assert!((last.status, last.text.as_str()) == (200, "1") || last.status == 400, "{last:?}");

    joined.send("40").await;
    assert!(joined.text().await.starts_with("40{"), "who has joined once may stay without a namespace");
    host.stop().await;
}

#[tokio::test]
async fn there_are_no_more_namespaces_than_allowed() {
    let (host, _, _) = Toy::start(Settings { max_namespaces: 1, ..Settings::default() });
    let mut socket = host.join().await;

    socket.send("40/custom").await;

    socket.assert_closed(1002).await;
    host.stop().await;
}

#[tokio::test]
async fn a_client_that_is_sent_out_gets_what_was_sent_before() {
    let (host, toy, _) = Toy::start(Settings::default());
    let mut socket = host.join().await;
    let client = toy.client();
    client.emit(&Packet::event("last")).unwrap();

    client.disconnect();
    client.disconnect();

    assert_eq!(client.emit(&Packet::event("too late")), Err(SendError::Closed));
    assert_eq!(socket.text().await, r#"42["last"]"#);
    assert_eq!(socket.text().await, "41");
    let out = Told::Disconnected("/".to_owned(), Reason::Application("sent out"));
    toy.until(&out).await;
    // The client may have sent these before it knew.
    socket.send(r#"42["a",1]"#).await;
    socket.send("40").await;
    assert!(socket.text().await.starts_with("40{"), "back again, on the same transport");
    assert_eq!(toy.told().iter().filter(|told| **told == out).count(), 1);
    assert!(!toy.told().contains(&Told::Event("a".to_owned())));
    host.stop().await;
}

#[tokio::test]
async fn an_application_may_close_the_whole_session_and_say_why() {
    let (host, toy, _) = Toy::start(Settings::default());
    let mut socket = host.join().await;
    socket.send("40/custom").await;
    socket.text().await;
    socket.send("42[\"a\",1]").await;
    socket.send("42[\"close\"]").await;
    socket.send("42[\"never\"]").await;

    let (code, texts) = socket.closed().await;

    assert_eq!((code, texts), (Some(1008), vec![r#"42["back",1]"#.to_owned()]));
    for namespace in ["/", "/custom"] {
        toy.until(&Told::Disconnected(namespace.to_owned(), Reason::Application("go away"))).await;
    }
    assert!(!toy.told().contains(&Told::Event("never".to_owned())));

    let session = host.poll_in().await;
    session.send("42[\"close\"]").await;
    session.get().await.assert_refused(1);
    host.stop().await;
}

#[tokio::test]
async fn nothing_is_read_before_a_late_decision() {
    let (host, _, _) = Toy::start(Settings::default());
    let mut socket = host.open().await;

    socket.send("40/late").await;
    socket.send(r#"42/late,["a",1]"#).await;

    assert!(socket.text().await.starts_with("40/late,{"));
    assert_eq!(socket.text().await, r#"42/late,["back",1]"#);
    host.stop().await;
}
