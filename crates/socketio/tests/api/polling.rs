//! HTTP long-polling.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use socketio::{Packet, Reason, Server, Settings};
use testkit::wait::wait_until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Answer, DEADLINE, Polling};
use crate::toy::{Told, Toy};

/// Sends a poll on a connection of its own, and gives that once the server holds it, and no other.
async fn held(session: &Polling<'_>, server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(session.host.address).await.unwrap();
    let request = format!("GET /socket.io/?{} HTTP/1.1\r\nHost: toy\r\n\r\n", session.query());
    stream.write_all(request.as_bytes()).await.unwrap();
    wait_until("a poll that is held", || async { server.stats().polls == 1 }).await;
    stream
}

/// Reads the answer of a poll that was held.
async fn answer(mut stream: TcpStream) -> String {
    let mut read = Vec::new();
    let reading = async {
        loop {
            let text = String::from_utf8_lossy(&read).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.to_ascii_lowercase().split_once("content-length: ").unwrap().1.to_owned();
                let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
                if body.len() >= length {
                    return format!("{} {body}", &head[9..12]);
                }
            }
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "{text}");
        }
    };
    timeout(DEADLINE, reading).await.unwrap()
}

#[tokio::test]
async fn packets_go_both_ways() {
    let (host, _, _) = Toy::start(Settings::default());
    let session = host.poll_in().await;

    let posted = session.post("42[\"a\",1]\u{1e}42[\"b\",\"\u{20ac}\"]").await;

    assert_eq!((posted.status, posted.text.as_str()), (200, "ok"));
    assert_eq!(posted.header("content-type"), Some("text/html"));
    assert_eq!(session.receive().await, "42[\"back\",1]\u{1e}42[\"back\",\"\u{20ac}\"]");
    host.stop().await;
}

#[tokio::test]
async fn binary_travels_as_base64() {
    let (host, _, _) = Toy::start(Settings::default());
    let session = host.poll_in().await;

    session.send("451-[\"a\",{\"_placeholder\":true,\"num\":0}]\u{1e}bAQIDBA==").await;

    assert_eq!(session.receive().await, "451-[\"back\",{\"_placeholder\":true,\"num\":0}]\u{1e}bAQIDBA==");
    host.stop().await;
}

#[tokio::test]
async fn a_held_poll_is_answered_when_there_is_something_to_send() {
    let (host, _, server) = Toy::start(Settings::default());
    let session = host.poll_in().await;
    let stream = held(&session, &server).await;

    session.send(r#"42["a"]"#).await;

    assert_eq!(answer(stream).await, r#"200 42["back"]"#);
    assert_eq!(server.stats().polls, 0);
    host.stop().await;
}

#[tokio::test]
async fn a_long_queue_is_split_over_several_answers() {
    let (host, _, _) = Toy::start(Settings { max_payload: 100, ..Settings::default() });
    let session = host.poll_in().await;
    for number in 0..4 {
        session.send(&format!(r#"42["{:040}",{number}]"#, 0)).await;
    }

    let mut answers = Vec::new();
    while answers.iter().map(|answer: &String| answer.split('\u{1e}').count()).sum::<usize>() < 4 {
        answers.push(session.receive().await);
    }

    assert!(answers.iter().all(|answer| answer.len() <= 100), "{answers:?}");
    let packets: Vec<_> = answers.iter().flat_map(|answer| answer.split('\u{1e}')).collect();
    assert_eq!(packets, (0..4).map(|number| format!(r#"42["back",{number}]"#)).collect::<Vec<_>>());
    host.stop().await;
}

#[tokio::test]
async fn an_answer_has_no_more_packets_than_the_clients_take() {
    let (host, toy, _) = Toy::start(Settings::default());
    let session = host.poll_in().await;
    for number in 0..40 {
        toy.client().emit(&Packet::event("n").arg(&number).unwrap()).unwrap();
    }

    let answers = [session.receive().await, session.receive().await, session.receive().await];

    let counts = answers.each_ref().map(|answer| answer.split('\u{1e}').count());
    assert_eq!(counts, [16, 16, 8], "{answers:?}");
    let packets: Vec<_> = answers.iter().flat_map(|answer| answer.split('\u{1e}')).collect();
    assert_eq!(packets, (0..40).map(|number| format!(r#"42["n",{number}]"#)).collect::<Vec<_>>());
    host.stop().await;
}

#[tokio::test]
async fn two_polls_at_once_end_the_session() {
    let (host, toy, server) = Toy::start(Settings::default());
    let session = host.poll_in().await;
    let first = held(&session, &server).await;

    session.get().await.assert_refused(3);

    assert_eq!(answer(first).await, "200 1");
    session.get().await.assert_refused(1);
    session.post("42[\"a\"]").await.assert_refused(1);
    toy.until(&Told::Disconnected("/".to_owned(), Reason::Concurrent)).await;
    host.stop().await;
}

#[tokio::test]
async fn two_posts_at_once_end_the_session() {
    let (host, toy, _) = Toy::start(Settings::default());
    let session = host.poll_in().await;
    let first = session.post(r#"42["wait"]"#);
    let second = async {
        toy.until(&Told::Event("wait".to_owned())).await;
        let second = session.post(r#"42["a"]"#).await;
        toy.gate.add_permits(1);
        second
    };

    let (_, second) = tokio::join!(first, second);

    second.assert_refused(3);
    session.get().await.assert_refused(1);
    toy.until(&Told::Disconnected("/".to_owned(), Reason::Concurrent)).await;
    assert!(!toy.told().contains(&Told::Event("a".to_owned())));
    host.stop().await;
}

#[tokio::test]
async fn a_poll_that_the_client_gives_up_ends_the_session() {
    let (host, toy, server) = Toy::start(Settings::default());
    let session = host.poll_in().await;

    drop(held(&session, &server).await);

    toy.until(&Told::Disconnected("/".to_owned(), Reason::Lost)).await;
    session.get().await.assert_refused(1);
    host.stop().await;
}

#[tokio::test]
async fn what_is_no_payload_is_refused_and_ends_the_session() {
    let (host, toy, _) = Toy::start(Settings::default());
    for body in ["abc", "", "4hello\u{1e}", "\u{1e}", "b!", "0{}", "5", "6", "1x", "42{}", "4"] {
        let session = host.poll_in().await;

        let refused = session.post(body).await;

        refused.assert_refused(3);
        session.get().await.assert_refused(1);
    }
    let session = host.poll_in().await;
    session.post(vec![b'4', 0xff]).await.assert_refused(3);
    session.get().await.assert_refused(1);
    let session = host.poll_in().await;
    let binary = host.http.post(host.url(&session.query())).header(CONTENT_TYPE, "application/octet-stream");
    Answer::of(binary.body("42[\"a\"]")).await.assert_refused(3);
    session.get().await.assert_refused(1);
    assert!(!toy.told().iter().any(|told| matches!(told, Told::Event(_))));
    host.stop().await;
}

#[tokio::test]
async fn a_post_over_the_limit_is_refused_and_the_session_goes_on() {
    let (host, _, _) = Toy::start(Settings { max_payload: 1000, ..Settings::default() });
    let session = host.poll_in().await;

    let refused = session.post(format!(r#"42["a","{}"]"#, "x".repeat(1000))).await;

    assert_eq!(refused.status, 413);
    session.send(r#"42["a",1]"#).await;
    assert_eq!(session.receive().await, r#"42["back",1]"#);
    host.stop().await;
}

#[tokio::test]
async fn a_close_packet_ends_the_session_and_a_held_poll_with_a_noop() {
    let (host, toy, server) = Toy::start(Settings::default());
    let session = host.poll_in().await;
    let stream = held(&session, &server).await;

    session.send("1").await;

    assert_eq!(answer(stream).await, "200 6");
    session.get().await.assert_refused(1);
    toy.until(&Told::Disconnected("/".to_owned(), Reason::ClientClosed)).await;

    let session = host.poll_in().await;
    session.send("1").await;
    session.get().await.assert_refused(1);
    host.stop().await;
}

#[tokio::test]
async fn a_poll_that_overtakes_no_more_than_its_close_packet_gets_the_noop() {
    let (host, _, _) = Toy::start(Settings::default());

    // A busy machine may bring a poll too late, which is refused: so until one is in time.
    wait_until("the noop", || async {
        let session = host.poll_in().await;
        let closing = session.send("1");
        // Sent together with the close packet, seen after it.
        let poll = async {
            tokio::time::sleep(Duration::from_millis(15)).await;
            session.get().await
        };

        let ((), poll) = tokio::join!(closing, poll);

        session.get().await.assert_refused(1);
        let in_time = (poll.status, poll.text.as_str()) == (200, "6");
        if !in_time {
            poll.assert_refused(1);
        }
        in_time
    })
    .await;
    host.stop().await;
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_stop_its_event() {
    let (host, toy, _) = Toy::start(Settings::default());
    let session = host.poll_in().await;
    let body = r#"42["wait"]"#;
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    let head = format!(
        "POST /socket.io/?{} HTTP/1.1\r\nHost: toy\r\nContent-Length: {}\r\n\r\n",
        session.query(),
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    toy.until(&Told::Event("wait".to_owned())).await;

    drop(stream);
    toy.gate.add_permits(1);

    assert_eq!(session.receive().await, r#"42["back"]"#);
    host.stop().await;
}
