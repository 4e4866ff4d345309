//! From polling to a websocket.

use std::time::Duration;

use serde_json::Value;
use socketio::{Reason, Settings};
use testkit::wait::wait_until;

use crate::harness::Host;
use crate::toy::{Told, Toy};

fn socket_query(sid: &str) -> String {
    format!("EIO=4&transport=websocket&sid={sid}")
}

#[tokio::test]
async fn a_session_moves_with_its_queue_and_loses_nothing() {
    let (host, toy, server) = Toy::start(Settings::default());
    let session = host.poll_in().await;
    session.send("42[\"a\",1]\u{1e}42[\"a\",2]").await;

    let mut socket = session.upgrade().await;

    assert_eq!(socket.text().await, r#"42["back",1]"#);
    assert_eq!(socket.text().await, r#"42["back",2]"#);
    socket.send(r#"42["a",3]"#).await;
    assert_eq!(socket.text().await, r#"42["back",3]"#);
    session.get().await.assert_refused(3);
    session.post(r#"42["a",4]"#).await.assert_refused(3);
    socket.send(r#"42["a",5]"#).await;
    assert_eq!(socket.text().await, r#"42["back",5]"#);
    let stats = server.stats();
    assert_eq!((stats.sessions, stats.websockets, stats.opened, stats.upgraded), (1, 1, 1, 1));
    socket.send("1").await;
    toy.until(&Told::Disconnected("/".to_owned(), Reason::ClientClosed)).await;
    assert_eq!(server.stats().sessions, 0);
    host.stop().await;
}

#[tokio::test]
async fn a_poll_after_the_probe_gets_a_noop() {
    let (host, _, _) = Toy::start(Settings::default());
    let session = host.poll().await;
    let mut socket = host.socket(&socket_query(&session.sid)).await;
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");

    assert_eq!(session.receive().await, "6");
    assert_eq!(session.receive().await, "6");

    socket.send("5").await;
    socket.send("40").await;
    assert!(socket.text().await.starts_with("40{"));
    host.stop().await;
}

#[tokio::test]
async fn a_poll_that_is_held_at_the_probe_gets_a_noop() {
    let (host, _, server) = Toy::start(Settings::default());
    let session = host.poll().await;
    let probing = async {
        wait_until("a poll that is held", || async { server.stats().polls == 1 }).await;
        let mut socket = host.socket(&socket_query(&session.sid)).await;
        socket.send("2probe").await;
        assert_eq!(socket.text().await, "3probe");
        socket
    };

    let (held, _socket) = tokio::join!(session.receive(), probing);

    assert_eq!(held, "6");
    host.stop().await;
}

#[tokio::test]
async fn polling_goes_on_while_a_websocket_is_probed() {
    let (host, _, _) = Toy::start(Settings::default());
    let session = host.poll_in().await;
    let mut socket = host.socket(&socket_query(&session.sid)).await;
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");

    session.send(r#"42["a",1]"#).await;
    assert_eq!(session.receive().await, r#"42["back",1]"#);
    session.send(r#"42["a",2]"#).await;
    socket.send("5").await;

    assert_eq!(socket.text().await, r#"42["back",2]"#);
    host.stop().await;
}

#[tokio::test]
async fn a_second_websocket_is_closed_and_the_first_goes_on() {
    let (host, _, _) = Toy::start(Settings::default());
    let session = host.poll_in().await;
    let mut first = host.socket(&socket_query(&session.sid)).await;
    first.send("2probe").await;
    assert_eq!(first.text().await, "3probe");

    host.socket(&socket_query(&session.sid)).await.assert_closed(1008).await;
    first.send("5").await;
    first.send(r#"42["a",1]"#).await;
    assert_eq!(first.text().await, r#"42["back",1]"#);
    host.socket(&socket_query(&session.sid)).await.assert_closed(1008).await;

    first.send(r#"42["a",2]"#).await;
    assert_eq!(first.text().await, r#"42["back",2]"#);
    host.stop().await;
}

#[tokio::test]
async fn a_websocket_that_says_something_else_is_closed_alone() {
    let (host, _, _) = Toy::start(Settings::default());
    let session = host.poll_in().await;
    for words in [&["5"][..], &["2"], &["40"], &["2probe", "42[\"a\"]"], &["2probe", "2"]] {
        let mut socket = host.socket(&socket_query(&session.sid)).await;
        for word in words {
            socket.send(word).await;
        }

        socket.assert_closed(1008).await;

        session.send(r#"42["a",1]"#).await;
        assert_eq!(session.receive().await, r#"42["back",1]"#);
    }
    host.stop().await;
}

#[tokio::test]
async fn a_websocket_that_says_nothing_is_closed_alone() {
    let (host, _, _) =
        Toy::start(Settings { upgrade_timeout: Duration::from_millis(100), ..Settings::default() });
    let session = host.poll_in().await;

    host.socket(&socket_query(&session.sid)).await.assert_closed(1008).await;

    session.send(r#"42["a",1]"#).await;
    assert_eq!(session.receive().await, r#"42["back",1]"#);
    host.stop().await;
}

#[tokio::test]
async fn a_probe_that_is_not_completed_closes_the_websocket_alone() {
    // Long enough for those that are to be in time on a busy machine.
    let (host, _, _) =
        Toy::start(Settings { upgrade_timeout: Duration::from_secs(6), ..Settings::default() });
    let session = host.poll_in().await;
    let mut probed = host.socket(&socket_query(&session.sid)).await;
    probed.send("2probe").await;
    assert_eq!(probed.text().await, "3probe");
    probed.assert_closed(1008).await;
    let lost = host.socket(&socket_query(&session.sid)).await;
    drop(lost);

    session.send(r#"42["a",1]"#).await;

    assert_eq!(session.receive().await, r#"42["back",1]"#);
    let mut socket = upgrade_when_free(&host, &session.sid).await;
    socket.send(r#"42["a",2]"#).await;
    assert_eq!(socket.text().await, r#"42["back",2]"#);
    host.stop().await;
}

/// The websocket before may not be given up yet.
async fn upgrade_when_free(host: &Host, sid: &str) -> crate::harness::Socket {
    loop {
        let mut socket = host.socket(&socket_query(sid)).await;
        socket.send("2probe").await;
        if let Some("3probe") = socket.next_text().await.as_deref() {
            socket.send("5").await;
            return socket;
        }
    }
}

#[tokio::test]
async fn an_event_may_begin_on_one_transport_and_end_on_the_other() {
    let (host, _, _) = Toy::start(Settings::default());
    let session = host.poll_in().await;
    session.send(r#"452-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#).await;
    session.send("bAQI=").await;

    let mut socket = session.upgrade().await;
    socket.send_binary(&[3, 4]).await;

    let text = r#"452-["back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    assert_eq!(socket.text().await, text);
    assert_eq!((socket.binary().await, socket.binary().await), (vec![1, 2], vec![3, 4]));
    host.stop().await;
}

#[tokio::test]
async fn what_was_posted_before_is_dealt_with_before_what_the_websocket_says() {
    let (host, toy, _) = Toy::start(Settings::default());
    let session = host.poll_in().await;
    let posting = session.post(r#"42["wait",1]"#);
    let upgrading = async {
        toy.until(&Told::Event("wait".to_owned())).await;
        let mut socket = session.upgrade().await;
        socket.send(r#"42["after",2]"#).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!toy.told().contains(&Told::Event("after".to_owned())));
        toy.gate.add_permits(1);
        socket
    };

    let (posted, mut socket) = tokio::join!(posting, upgrading);

    assert_eq!(posted.status, 200);
    assert_eq!(socket.text().await, r#"42["back",1]"#);
    assert_eq!(socket.text().await, r#"42["back",2]"#);
    host.stop().await;
}

#[tokio::test]
async fn the_heartbeat_goes_on_after_the_upgrade() {
    let (ping_interval, ping_timeout) = (Duration::from_millis(200), Duration::from_secs(6));
    let (host, toy, _) = Toy::start(Settings { ping_interval, ping_timeout, ..Settings::default() });
    let session = host.poll().await;

    let mut socket = session.upgrade().await;

    // On a busy machine the first ping comes before the answer.
    socket.send("40").await;
    let mut texts = [socket.text().await, socket.text().await];
    texts.sort();
    assert!(texts[0] == "2" && texts[1].starts_with("40{"), "{texts:?}");
    socket.send("3").await;
    assert_eq!(socket.text().await, "2");
    socket.assert_closed(1001).await;
    toy.until(&Told::Disconnected("/".to_owned(), Reason::PingTimeout)).await;
    host.stop().await;
}

#[tokio::test]
async fn a_websocket_session_has_nothing_to_upgrade() {
    let (host, _, _) = Toy::start(Settings::default());
    let mut socket = host.socket("EIO=4&transport=websocket").await;
    let handshake: Value = serde_json::from_str(&socket.text().await[1..]).unwrap();

    host.socket(&socket_query(handshake["sid"].as_str().unwrap())).await.assert_closed(1008).await;

    socket.send("40").await;
    assert!(socket.text().await.starts_with("40{"));
    host.stop().await;
}
