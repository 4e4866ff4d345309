//! Websockets: what a peer sees.

use std::time::{Duration, Instant};

use common::models::UnixMillis;
use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame, FrameHeader,
        coding::{Data, OpCode},
    },
};

use crate::{
    harness::{DEADLINE, Host, WebSocket},
    toy::{BACKLOG_FRAMES, IDLE, toy},
};

async fn next(socket: &mut WebSocket) -> Message {
    timeout(DEADLINE, socket.next()).await.unwrap().unwrap().unwrap()
}

/// Reads until the close frame and gives its code.
async fn close_code(socket: &mut WebSocket) -> u16 {
    loop {
        if let Message::Close(frame) = next(socket).await {
            return frame.unwrap().code.into();
        }
    }
}

#[tokio::test]
async fn messages_come_back_in_order_and_whole() {
    let host = Host::start([toy().0]);
    let mut socket = host.connect("/v1/echo", None).await;
    host.until_metric("websockets_open 1").await;

    for number in 0..500 {
        socket.feed(Message::text(format!("message {number}"))).await.unwrap();
    }
    socket.feed(Message::binary(vec![9; 1000])).await.unwrap();
    socket.flush().await.unwrap();

    for number in 0..500 {
        assert_eq!(next(&mut socket).await, Message::text(format!("message {number}")));
    }
    assert_eq!(next(&mut socket).await, Message::binary(vec![9; 1000]));
    drop(socket);
    host.until_metric("websockets_open 0").await;
    host.stop().await;
}

#[tokio::test]
async fn pings_are_answered_and_a_close_is_echoed() {
    let host = Host::start([toy().0]);
    let mut socket = host.connect("/v1/echo", None).await;

    socket.send(Message::Ping("are you there".into())).await.unwrap();
    assert_eq!(next(&mut socket).await, Message::Pong("are you there".into()));

    socket.send(Message::text("bye")).await.unwrap();
    assert_eq!(close_code(&mut socket).await, 1008);

    let mut socket = host.connect("/v1/echo", None).await;
    socket.close(None).await.unwrap();
    while timeout(DEADLINE, socket.next()).await.unwrap().is_some() {}
    host.until_metric("websockets_open 0").await;
    host.stop().await;
}

#[tokio::test]
async fn a_session_that_just_ends_leaves_a_close_frame() {
    let host = Host::start([toy().0]);

    for (word, code) in [("leave", 1000), ("panic", 1011)] {
        let mut socket = host.connect("/v1/echo", None).await;
        socket.send(Message::text(word)).await.unwrap();

        assert_eq!(close_code(&mut socket).await, code);
    }
    host.stop().await;
}

#[tokio::test]
async fn frames_that_come_with_the_handshake_are_not_lost() {
    let host = Host::start([toy().0]);
    let mut stream = TcpStream::connect(host.http).await.unwrap();
    let handshake = "GET /v1/echo HTTP/1.1\r\nHost: toy\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    let frame = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
    // A request before it on the same connection, too: its answer must come first, and whole.
    let before = "GET /v1/things/7 HTTP/1.1\r\nHost: toy\r\n\r\n";

    stream.write_all(&[before.as_bytes(), handshake.as_bytes(), &frame].concat()).await.unwrap();

    let mut answer = Vec::new();
    let read = async {
        while !answer.ends_with(&[0x81, 2, b'h', b'i']) {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
        }
    };
    timeout(DEADLINE, read).await.unwrap();
    let text = String::from_utf8_lossy(&answer);
    let (first, second) = (text.find("HTTP/1.1 200 OK").unwrap(), text.find("HTTP/1.1 101").unwrap());
    assert!(first < second, "{text}");
    drop(stream);
    host.stop().await;
}

fn raw(opcode: OpCode, payload: &'static [u8]) -> Message {
    Message::Frame(Frame::from_payload(FrameHeader { opcode, ..FrameHeader::default() }, payload.into()))
}

#[tokio::test]
async fn what_breaks_the_rules_is_closed_with_its_code() {
    let host = Host::start([toy().0]);
    let cases = [
        (Message::binary(vec![0; 1001]), 1009),
        (raw(OpCode::Data(Data::Text), &[0xff, 0xfe]), 1007),
        (raw(OpCode::Data(Data::Continue), b"nothing before"), 1002),
    ];
    for (message, code) in cases {
        let mut socket = host.connect("/v1/echo", None).await;

        socket.send(message).await.unwrap();

        assert_eq!(close_code(&mut socket).await, code);
    }
    host.stop().await;
}

#[tokio::test]
async fn a_silent_peer_is_pinged_and_given_up() {
    let host = Host::start([toy().0]);
    // This one does not read, and so answers nothing.
    let silent = host.connect("/v1/impatient", None).await;
    let mut answering = host.connect("/v1/impatient", None).await;

    // Reading answers pings: this peer stays for longer than the idle limit, by the clock that it is pinged by, too.
    let mut pings = 0_u32;
    while pings * Duration::from_millis(250) <= IDLE {
        match next(&mut answering).await {
            Message::Ping(_) => pings += 1,
            other => panic!("{other:?} after {pings} pings"),
        }
    }

    drop(answering);
    host.until_metric("websockets_open 0").await;
    drop(silent);
    host.stop().await;
}

#[tokio::test]
async fn who_takes_a_backlog_slowly_is_alive_and_who_takes_nothing_is_not() {
    let host = Host::start([toy().0]);
    let mut slow = host.connect("/v1/backlog", None).await;
    let silent = host.connect("/v1/backlog", None).await;
    let started = Instant::now();

    let mut frames = 0;
    while frames < BACKLOG_FRAMES {
        match next(&mut slow).await {
            Message::Binary(_) => frames += 1,
            Message::Close(frame) => panic!("cut off after {frames}: {frame:?}"),
            _ => {}
        }
        // What it says is not listened to while it is sent the backlog, the end of which may be on its way.
        if frames < BACKLOG_FRAMES - 80 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    assert!(started.elapsed() > IDLE, "{:?}", started.elapsed());
    drop(slow);
    host.until_metric("websockets_open 0").await;
    drop(silent);
    host.stop().await;
}

#[tokio::test]
async fn a_slow_reader_is_cut_with_a_bounded_queue() {
    let (service, mut queued) = toy();
    let host = Host::start([service]);

    let socket = host.connect("/v1/flood", None).await;

    let bytes = *timeout(DEADLINE, queued.wait_for(|bytes| *bytes > 0)).await.unwrap().unwrap();
    assert!(bytes <= 1024 * 1024, "{bytes} bytes queued");
    // It never reads, so it is cut when the time for closing is over.
    host.until_metric("websockets_open 0").await;
    drop(socket);
    host.stop().await;
}

#[tokio::test]
async fn a_revocation_reaches_the_socket() {
    let host = Host::start([toy().0]);
    let [by_session, by_account, other] = [(); 3].map(|()| host.claims(Some(1)));
    let mut first = host.connect("/v1/guarded", Some(&host.token(&by_session))).await;
    let mut second = host.connect("/v1/guarded", Some(&host.token(&by_account))).await;
    let third = host.connect("/v1/guarded", Some(&host.token(&other))).await;

    host.gate.revoke_session(by_session.sid, UnixMillis(i64::MAX));
    host.gate.revoke_account(by_account.sub, UnixMillis(i64::MAX));

    assert_eq!(close_code(&mut first).await, 4401);
    assert_eq!(close_code(&mut second).await, 4401);
    drop((first, second));
    host.until_metric("websockets_open 1").await;
    drop(third);
    host.stop().await;
}

#[tokio::test]
async fn there_are_no_more_sockets_than_allowed() {
    let http = web::HttpSettings { max_sockets: 1, ..crate::harness::settings() };
    let host = Host::start_with(&http, [toy().0]);
    let first = host.connect("/v1/echo", None).await;
    host.until_metric("websockets_open 1").await;

    let url = format!("ws://{}/v1/echo", host.http);
    let refused = tokio_tungstenite::connect_async(url).await.unwrap_err();

    assert!(refused.to_string().contains("503"), "{refused}");
    drop(first);
    host.stop().await;
}
