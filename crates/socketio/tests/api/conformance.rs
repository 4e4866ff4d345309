//! The application for the public test suites does what they expect of it.

use serde_json::Value;
use socketio::Settings;
use socketio::conformance::Conformance;

use crate::harness::Host;

fn start(path: &'static str, conformance: Conformance) -> Host {
    let routes = web::routes(move |config| {
        config.map(|config| conformance.mount(config));
    });
    Host::start(path, routes)
}

/// Without the pings of the suites, which would come between on a busy machine.
fn calm(path: &'static str) -> Host {
    start(path, Conformance::new(&Settings::default()))
}

#[tokio::test]
async fn the_handshake_has_the_values_of_the_suites() {
    for path in ["/engine.io/", "/socket.io/"] {
        let host = start(path, Conformance::default());

        let answer = host.get("EIO=4&transport=polling").await;

        let handshake: Value = serde_json::from_str(&answer.text[1..]).unwrap();
        let times = (&handshake["pingInterval"], &handshake["pingTimeout"], &handshake["maxPayload"]);
        assert_eq!(times, (&300.into(), &200.into(), &1_000_000.into()));
        host.stop().await;
    }
}

#[tokio::test]
async fn engine_io_echoes_every_message() {
    let host = calm("/engine.io/");
    let session = host.poll().await;
    session.send("4hello\u{1e}bAQIDBA==").await;
    assert_eq!(session.receive().await, "4hello\u{1e}bAQIDBA==");

    let mut socket = host.open().await;
    socket.send("4hello").await;
    socket.send_binary(&[1, 2, 3, 4]).await;

    assert_eq!(socket.text().await, "4hello");
    assert_eq!(socket.binary().await, [1, 2, 3, 4]);
    host.stop().await;
}

#[tokio::test]
async fn credentials_come_back_after_a_connect() {
    let host = calm("/socket.io/");
    let cases = [
        ("40", "40{", r#"42["auth",{}]"#),
        (r#"40{"token":"123"}"#, "40{", r#"42["auth",{"token":"123"}]"#),
        ("40/custom,", "40/custom,{", r#"42/custom,["auth",{}]"#),
        (r#"40/custom,{"token":"abc"}"#, "40/custom,{", r#"42/custom,["auth",{"token":"abc"}]"#),
    ];
    for (connect, reply, auth) in cases {
        let mut socket = host.open().await;

        socket.send(connect).await;

        assert!(socket.text().await.starts_with(reply));
        assert_eq!(socket.text().await, auth);
    }
    let mut socket = host.open().await;
    socket.send("40/random").await;
    assert_eq!(socket.text().await, r#"44/random,{"message":"Invalid namespace"}"#);
    host.stop().await;
}

#[tokio::test]
async fn messages_come_back_or_are_acknowledged() {
    let host = calm("/socket.io/");
    let mut socket = host.join().await;
    assert_eq!(socket.text().await, r#"42["auth",{}]"#);

    socket.send(r#"42["message",1,"2",{"3":[true]}]"#).await;
    assert_eq!(socket.text().await, r#"42["message-back",1,"2",{"3":[true]}]"#);

    socket.send(r#"42456["message-with-ack",1,"2",{"3":[false]}]"#).await;
    assert_eq!(socket.text().await, r#"43456[1,"2",{"3":[false]}]"#);

    let places = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
    socket.send(&format!(r#"452-789["message-with-ack",{places}]"#)).await;
    socket.send_binary(&[1, 2, 3]).await;
    socket.send_binary(&[4, 5, 6]).await;
    assert_eq!(socket.text().await, format!("462-789[{places}]"));
    assert_eq!((socket.binary().await, socket.binary().await), (vec![1, 2, 3], vec![4, 5, 6]));
    host.stop().await;
}

#[tokio::test]
async fn silence_closes_the_connection() {
    let host = start("/socket.io/", Conformance::default());
    let mut socket = host.open().await;

    let (code, _) = socket.closed().await;

    assert!(code.is_some(), "an end without a close frame");
    host.stop().await;
}
