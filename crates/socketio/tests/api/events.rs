//! Events, acknowledgements, attachments (Socket.IO protocol, "Sending and receiving data").

use std::time::Duration;

use socketio::{Packet, Reason, SendError, Settings};
use testkit::wait::wait_until;

use crate::toy::{Told, Toy};

#[tokio::test]
async fn arguments_come_back_as_they_were_written() {
    let (host, _, _) = Toy::start(Settings::default());
    let mut socket = host.join().await;

    for args in ["1.50,1e3,12345678901234567890123", r#"{"b":1,"a":"\u00e9"}"#, "null", "[[],{}]"] {
        socket.send(&format!(r#"42["a",{args}]"#)).await;

        assert_eq!(socket.text().await, format!(r#"42["back",{args}]"#));
    }
    host.stop().await;
}

#[tokio::test]
async fn an_event_is_acknowledged_with_its_id_in_its_namespace() {
    let (host, _, _) = Toy::start(Settings::default());
    let mut socket = host.join().await;
    socket.send("40/custom").await;
    socket.text().await;

    socket.send(r#"4212["a"]"#).await;
    assert_eq!(socket.text().await, "4312[]");
    socket.send(r#"42/custom,12["a","b"]"#).await;
    assert_eq!(socket.text().await, r#"43/custom,12["b"]"#);
    socket.send(r#"451-0["a",{"_placeholder":true,"num":0}]"#).await;
    socket.send_binary(b"x").await;
    assert_eq!(socket.text().await, r#"461-0[{"_placeholder":true,"num":0}]"#);
    assert_eq!(socket.binary().await, b"x");
    host.stop().await;
}

#[tokio::test]
async fn attachments_may_be_empty_and_many() {
    let (host, _, _) = Toy::start(Settings::default());
    let mut socket = host.join().await;
    let places: Vec<_> = (0..10).map(|place| format!(r#"{{"_placeholder":true,"num":{place}}}"#)).collect();
    let places = places.join(",");

    socket.send(&format!(r#"4510-["a",{places}]"#)).await;
    for place in 0..10 {
        socket.send_binary(&vec![place; usize::from(place)]).await;
    }

    assert_eq!(socket.text().await, format!(r#"4510-["back",{places}]"#));
    for place in 0..10 {
        assert_eq!(socket.binary().await, vec![place; usize::from(place)]);
    }
    host.stop().await;
}

#[tokio::test]
async fn invalid_packets_close_the_connection() {
    let (host, toy, _) = Toy::start(Settings { max_packet_bytes: 100, ..Settings::default() });
    let one = r#"451-["a",{"_placeholder":true,"num":0}]"#;
    let cases: [&[&str]; 13] = [
        &["4abc"],
        &["4"],
        &["42"],
        &["42{}"],
        &["42[]"],
        &["42[1]"],
        &["421"],
        &[r#"42abc["a",1]"#],
        &[r#"42["connect"]"#],
        &["43[]"],
        &[r#"4511-["a"]"#],
        &[r#"451-["a",{"_placeholder":true,"num":1}]"#],
        &[one, r#"42["a"]"#],
    ];
    for packets in cases {
        let mut socket = host.join().await;

        for packet in packets {
            socket.send(packet).await;
        }

        socket.assert_closed(1002).await;
    }
    let mut socket = host.join().await;
    socket.send_binary(b"of nothing").await;
    socket.assert_closed(1002).await;
    let mut socket = host.join().await;
    socket.send(one).await;
    socket.send_binary(&[0; 100]).await;
    socket.assert_closed(1002).await;
    assert!(!toy.told().iter().any(|told| matches!(told, Told::Event(_))));
    host.stop().await;
}

#[tokio::test]
async fn what_is_no_engine_packet_closes_the_connection() {
    let (host, _, _) = Toy::start(Settings { max_payload: 1000, ..Settings::default() });
    for text in ["abc", "", "7", "1x", "0{}", "5", "6"] {
        let mut socket = host.join().await;

        socket.send(text).await;

        socket.assert_closed(1002).await;
    }
    let mut socket = host.join().await;
    socket.send(&format!(r#"42["a","{}"]"#, "x".repeat(1000))).await;
    socket.assert_closed(1009).await;
    host.stop().await;
}

#[tokio::test]
async fn a_close_packet_or_frame_ends_the_session() {
    let (host, toy, server) = Toy::start(Settings::default());
    let mut socket = host.join().await;
    socket.send("1").await;
    socket.assert_closed(1000).await;

    let mut socket = host.join().await;
    socket.0.close(None).await.unwrap();
    let socket = host.join().await;
    drop(socket);

    // The application hears of an end before the socket is counted out.
    wait_until("three ends", || async {
        let ended = |why| {
            let end = Told::Disconnected("/".to_owned(), why);
            toy.told().into_iter().filter(|told| *told == end).count()
        };
        let stats = server.stats();
        (ended(Reason::ClientClosed), ended(Reason::Lost), stats.sessions, stats.websockets) == (2, 1, 0, 0)
    })
    .await;
    host.stop().await;
}

#[tokio::test]
async fn events_of_a_session_are_dealt_with_one_at_a_time() {
    let (host, toy, _) = Toy::start(Settings::default());
    let mut socket = host.join().await;
    let mut other = host.join().await;
    socket.send(r#"42["wait",1]"#).await;
    socket.send(r#"42["a",2]"#).await;
    toy.until(&Told::Event("wait".to_owned())).await;

    // Others go on, and so does what is sent to the busy one.
    other.send(r#"42["b",1]"#).await;
    assert_eq!(other.text().await, r#"42["back",1]"#);
    toy.client().emit(&Packet::event("news")).unwrap();
    assert_eq!(other.text().await, r#"42["news"]"#);
    assert!(!toy.told().contains(&Told::Event("a".to_owned())));
    toy.gate.add_permits(1);

    assert_eq!(socket.text().await, r#"42["back",1]"#);
    assert_eq!(socket.text().await, r#"42["back",2]"#);
    host.stop().await;
}

#[tokio::test]
async fn a_session_that_ends_in_an_event_is_told_of_after_it() {
    let (host, toy, _) = Toy::start(Settings::default());
    let mut socket = host.join().await;
    socket.send(r#"42["wait",1]"#).await;
    toy.until(&Told::Event("wait".to_owned())).await;

    toy.client().close(Reason::Application("enough"));
    tokio::time::sleep(Duration::from_millis(50)).await;

    assert_eq!(toy.told().len(), 2, "{:?}", toy.told());
    host.stop().await;
}

#[tokio::test]
async fn a_panic_of_the_application_ends_the_session_alone() {
    let (host, toy, server) = Toy::start(Settings::default());
    let mut socket = host.join().await;
    socket.send(r#"42["panic"]"#).await;
    socket.assert_closed(1011).await;
    toy.until(&Told::Disconnected("/".to_owned(), Reason::Fault)).await;

    let session = host.poll_in().await;
    assert_eq!(session.post(r#"42["panic"]"#).await.status, 500);
    session.get().await.assert_refused(1);

    let mut socket = host.join().await;
    socket.send(r#"42["a",1]"#).await;
    assert_eq!(socket.text().await, r#"42["back",1]"#);
    wait_until("the others' ends", || async { server.stats().sessions == 1 }).await;
    host.stop().await;
}

#[tokio::test]
async fn a_client_may_be_asked() {
    let (host, toy, _) = Toy::start(Settings { queue_messages: 3, ..Settings::default() });
    let mut socket = host.join().await;
    let client = toy.client();
    let (first, second) =
        (client.ask(&Packet::event("q")).unwrap(), client.ask(&Packet::event("q")).unwrap());
    assert_eq!(socket.text().await, r#"420["q"]"#);
    assert_eq!(socket.text().await, r#"421["q"]"#);

    socket.send("431[]").await;
    socket.send("431[2]").await;
    socket.send("4399[]").await;
    socket.send(r#"461-0[{"_placeholder":true,"num":0}]"#).await;
    socket.send_binary(b"yes").await;

    assert_eq!(second.await.unwrap().args.as_str(), "[]");
    let first = first.await.unwrap();
    assert_eq!(&first.attachments[0][..], b"yes");
    let unanswered: Vec<_> = (0..3).map(|_| client.ask(&Packet::event("q")).unwrap()).collect();
    assert_eq!(client.ask(&Packet::event("q")).err(), Some(SendError::Full));
    for _ in 0..3 {
        assert!(socket.text().await.starts_with("42"));
    }
    drop(unanswered);
    let last = client.ask(&Packet::event("q")).unwrap();
    drop(socket);
    assert_eq!(last.await, Err(SendError::Closed));
    host.stop().await;
}
