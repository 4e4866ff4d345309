//! Clients that do not read.

use socketio::{Packet, Reason, SendError, Settings};
use testkit::wait::wait_until;
use tokio::time::timeout;

use crate::harness::DEADLINE;
use crate::toy::{Told, Toy};

#[tokio::test]
async fn a_slow_reader_on_a_websocket_is_closed_and_nothing_is_kept_of_what_waited() {
    let (host, toy, server) = Toy::start(Settings { queue_bytes: 1024 * 1024, ..Settings::default() });
    let socket = host.join().await;
    let client = toy.client();
    let event = Packet::event("news").arg(&"x".repeat(64 * 1024)).unwrap().encode("/");

    // The kernel takes some megabytes before anything has to wait.
    let sending = async {
        while client.emit_encoded(&event).is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, sending).await.unwrap();

    assert_eq!(client.emit_encoded(&event), Err(SendError::Closed));
    toy.until(&Told::Disconnected("/".to_owned(), Reason::SlowConsumer)).await;
    assert!(server.stats().ended.contains(&("slow_consumer", 1)));
    drop(socket);
    host.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_poll_is_closed() {
    let (host, toy, _) = Toy::start(Settings { queue_messages: 10, ..Settings::default() });
    let session = host.poll_in().await;
    let client = toy.client();
    let event = Packet::event("news").encode("/");

    for _ in 0..10 {
        client.emit_encoded(&event).unwrap();
    }
    assert_eq!(client.emit_encoded(&event), Err(SendError::Full));

    session.get().await.assert_refused(1);
    toy.until(&Told::Disconnected("/".to_owned(), Reason::SlowConsumer)).await;
    host.stop().await;
}

#[tokio::test]
async fn volatile_events_are_left_out_when_too_much_waits() {
    let (host, toy, server) = Toy::start(Settings { queue_messages: 10, ..Settings::default() });
    let session = host.poll_in().await;
    let client = toy.client();
    let event = Packet::event("news").encode("/");

    let taken = (0..20).filter(|_| client.emit_volatile(&event).is_ok()).count();

    assert_eq!((taken, server.stats().dropped), (10, 10));
    assert_eq!(session.receive().await.split('\u{1e}').count(), 10);
    client.emit_volatile(&event).unwrap();
    assert_eq!(session.receive().await, r#"42["news"]"#);
    assert_eq!(client.emit_encoded(&Packet::event("news").encode("/custom")), Err(SendError::Closed));
    host.stop().await;
}

#[tokio::test]
async fn everybody_gets_an_event_that_was_encoded_once() {
    let (host, toy, _) = Toy::start(Settings::default());
    let mut socket = host.join().await;
    let one = toy.client();
    let session = host.poll_in().await;
    let other = toy.client();
    let mut event = Packet::event("news");
    let place = event.attach(vec![1, 2, 3]);
    let event = event.arg(&(place, "x")).unwrap().encode("/");

    for client in [&one, &other] {
        for _ in 0..2 {
            client.emit_encoded(&event).unwrap();
        }
    }

    let text = r#"451-["news",[{"_placeholder":true,"num":0},"x"]]"#;
    for _ in 0..2 {
        assert_eq!(socket.text().await, text);
        assert_eq!(socket.binary().await, [1, 2, 3]);
    }
    assert_eq!(session.receive().await, format!("{text}\u{1e}bAQID\u{1e}{text}\u{1e}bAQID"));
    host.stop().await;
}

#[tokio::test]
async fn a_server_that_stops_closes_every_session() {
    let (host, toy, server) = Toy::start(Settings::default());
    let mut socket = host.join().await;
    let session = host.poll_in().await;
    let idle = host.poll().await;
    let stopping = async {
        wait_until("a poll that is held", || async { server.stats().polls == 1 }).await;
        host.begin_stop();
        socket.assert_closed(1012).await;
    };

    let (held, ()) = tokio::join!(session.receive(), stopping);

    assert_eq!(held, "1");
    let drained = Told::Disconnected("/".to_owned(), Reason::Draining);
    wait_until("the end of all", || async {
        toy.told().iter().filter(|told| **told == drained).count() == 2 && server.stats().sessions == 0
    })
    .await;
    drop(idle);
    host.stop().await;
}
