//! Pings, pongs, and what happens without them.

use std::time::{Duration, Instant};

use socketio::{Reason, Settings};

use crate::toy::{Told, Toy};

const INTERVAL: Duration = Duration::from_millis(300);
const TIMEOUT: Duration = Duration::from_millis(200);

fn settings() -> Settings {
    Settings { ping_interval: INTERVAL, ping_timeout: TIMEOUT, ..Settings::default() }
}

#[tokio::test]
async fn a_poll_brings_a_ping_each_interval_after_the_pong() {
    let (host, _, _) = Toy::start(settings());
    let session = host.poll().await;
    for _ in 0..3 {
        let started = Instant::now();

        assert_eq!(session.receive().await, "2");

        assert!(started.elapsed() > INTERVAL - Duration::from_millis(50), "{:?}", started.elapsed());
        session.send("3").await;
    }
    host.stop().await;
}

#[tokio::test]
async fn a_websocket_gets_a_ping_each_interval_after_the_pong() {
    let (host, _, _) = Toy::start(settings());
    let mut socket = host.open().await;
    for _ in 0..3 {
        assert_eq!(socket.text().await, "2");
        socket.send("3").await;
    }
    host.stop().await;
}

#[tokio::test]
async fn without_a_pong_a_polling_session_ends_on_the_tick() {
    let (host, toy, server) = Toy::start(settings());
    let session = host.poll().await;

    tokio::time::sleep(INTERVAL + TIMEOUT).await;

    session.get().await.assert_refused(1);
    assert_eq!(toy.told(), []);
    assert!(server.stats().ended.contains(&("ping_timeout", 1)));
    host.stop().await;
}

#[tokio::test]
async fn a_poll_that_is_held_when_the_session_ends_gets_a_close_packet() {
    let (host, toy, _) = Toy::start(settings());
    let session = host.poll_in().await;

    let ping = session.receive().await;
    let last = session.receive().await;

    assert_eq!((ping.as_str(), last.as_str()), ("2", "1"));
    session.get().await.assert_refused(1);
    toy.until(&Told::Disconnected("/".to_owned(), Reason::PingTimeout)).await;
    host.stop().await;
}

#[tokio::test]
async fn without_a_pong_a_websocket_is_closed() {
    let (host, toy, _) = Toy::start(settings());
    let mut socket = host.join().await;
    let started = Instant::now();

    let (code, texts) = socket.closed().await;

    assert_eq!((code, texts), (Some(1001), vec!["2".to_owned()]));
    let took = started.elapsed();
    assert!(
        took > INTERVAL + TIMEOUT - Duration::from_millis(100) && took < 2 * (INTERVAL + TIMEOUT),
        "{took:?}"
    );
    toy.until(&Told::Disconnected("/".to_owned(), Reason::PingTimeout)).await;
    host.stop().await;
}

#[tokio::test]
async fn a_ping_of_the_client_ends_the_session() {
    let (host, _, server) = Toy::start(Settings::default());
    let session = host.poll().await;
    session.post("2").await.assert_refused(3);
    session.get().await.assert_refused(1);

    let mut socket = host.open().await;
    socket.send("2").await;

    socket.assert_closed(1002).await;
    assert!(server.stats().ended.contains(&("malformed", 2)));
    host.stop().await;
}

#[tokio::test]
async fn a_client_is_not_given_up_while_its_event_is_dealt_with() {
    let (host, toy, _) = Toy::start(settings());
    let mut socket = host.join().await;
    socket.send(r#"42["wait",1]"#).await;
    assert_eq!(socket.text().await, "2");
    // Answered, but not read: the session is busy.
    socket.send("3").await;
    tokio::time::sleep(2 * (INTERVAL + TIMEOUT)).await;

    toy.gate.add_permits(1);

    assert_eq!(socket.text().await, r#"42["back",1]"#);
    assert_eq!(socket.text().await, "2");
    host.stop().await;
}
