//! Pings, pongs, and what happens without them.

use std::time::{Duration, Instant};

use socketio::{Reason, Settings};
use testkit::wait::wait_until;

use crate::toy::{Told, Toy};

const INTERVAL: Duration = Duration::from_millis(300);
const TIMEOUT: Duration = Duration::from_millis(200);
/// A timeout, or an interval, within which a busy machine comes to whatever a test does first.
const PATIENT: Duration = Duration::from_secs(6);

fn settings(ping_interval: Duration, ping_timeout: Duration) -> Settings {
    Settings { ping_interval, ping_timeout, ..Settings::default() }
}

#[tokio::test]
async fn a_poll_brings_a_ping_each_interval_after_the_pong() {
    let (host, _, _) = Toy::start(settings(INTERVAL, PATIENT));
    let mut started = Instant::now();
    let session = host.poll().await;
    for _ in 0..3 {
        assert_eq!(session.receive().await, "2");

        assert!(started.elapsed() >= INTERVAL, "{:?}", started.elapsed());
        started = Instant::now();
        session.send("3").await;
    }
    host.stop().await;
}

#[tokio::test]
async fn a_websocket_gets_a_ping_each_interval_after_the_pong() {
    let (host, _, _) = Toy::start(settings(INTERVAL, PATIENT));
    let mut started = Instant::now();
    let mut socket = host.open().await;
    for _ in 0..3 {
        assert_eq!(socket.text().await, "2");

        assert!(started.elapsed() >= INTERVAL, "{:?}", started.elapsed());
        started = Instant::now();
        socket.send("3").await;
    }
    host.stop().await;
}

#[tokio::test]
async fn without_a_pong_a_polling_session_ends_by_itself() {
    let (host, toy, server) = Toy::start(settings(INTERVAL, TIMEOUT));
    let started = Instant::now();
    let session = host.poll().await;

    wait_until("its end", || async { server.stats().ended.contains(&("ping_timeout", 1)) }).await;

    assert!(started.elapsed() >= INTERVAL + TIMEOUT, "{:?}", started.elapsed());
    session.get().await.assert_refused(1);
    assert_eq!(toy.told(), []);
    host.stop().await;
}

#[tokio::test]
async fn a_poll_that_is_held_when_the_session_ends_gets_a_close_packet() {
    let (host, toy, _) = Toy::start(settings(INTERVAL, PATIENT));
    let session = host.poll().await;
    session.send("40").await;
    // The ping may come with the answer to that.
    while !session.receive().await.split('\u{1e}').any(|packet| packet == "2") {}

    let last = session.receive().await;

    assert_eq!(last, "1");
    session.get().await.assert_refused(1);
    toy.until(&Told::Disconnected("/".to_owned(), Reason::PingTimeout)).await;
    host.stop().await;
}

#[tokio::test]
async fn without_a_pong_a_websocket_is_closed() {
    let (host, toy, _) = Toy::start(settings(INTERVAL, PATIENT));
    let started = Instant::now();
    let mut socket = host.open().await;
    socket.send("40").await;

    let (code, mut texts) = socket.closed().await;

    assert!(started.elapsed() >= INTERVAL + PATIENT, "{:?}", started.elapsed());
    // On a busy machine the ping may come before the answer to the connect.
    texts.sort();
    let [ping, joined] = texts.as_slice() else { panic!("{texts:?}") };
    assert_eq!((code, ping.as_str()), (Some(1001), "2"));
    assert!(joined.starts_with("40{"), "{joined}");
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
    let (host, toy, _) = Toy::start(settings(PATIENT, TIMEOUT));
    let mut socket = host.join().await;
    socket.send(r#"42["wait",1]"#).await;
    assert_eq!(socket.text().await, "2");
    // Answered, but not read: the session is busy.
    socket.send("3").await;
    tokio::time::sleep(5 * TIMEOUT).await;

    toy.gate.add_permits(1);

    assert_eq!(socket.text().await, r#"42["back",1]"#);
    // The pong counts: it stays for longer than it would have without one.
    tokio::time::sleep(2 * TIMEOUT).await;
    socket.send(r#"42["a",2]"#).await;
    assert_eq!(socket.text().await, r#"42["back",2]"#);
    host.stop().await;
}
