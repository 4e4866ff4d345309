//! Opening a session, and what is refused (Engine.IO protocol, "Handshake").

use serde_json::Value;
use socketio::{CorsSettings, Settings};
use testkit::wait::wait_until;

use crate::harness::Answer;
use crate::toy::Toy;

fn keys(handshake: &Value) -> Vec<&String> {
    handshake.as_object().unwrap().keys().collect()
}

#[tokio::test]
async fn the_handshake_tells_what_the_client_needs() {
    let (host, _, _) = Toy::start(Settings::default());

    let polling = host.get("EIO=4&transport=polling&t=abc").await;
    let mut socket = host.socket("EIO=4&transport=websocket").await;

    assert_eq!(polling.status, 200);
    assert_eq!(polling.header("content-type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(polling.header("cache-control"), Some("no-store"));
    let mut sids = Vec::new();
    for (text, upgrades) in [(polling.text, r#"["websocket"]"#), (socket.text().await, "[]")] {
        let handshake: Value = serde_json::from_str(text.strip_prefix('0').unwrap()).unwrap();
        assert_eq!(keys(&handshake), ["maxPayload", "pingInterval", "pingTimeout", "sid", "upgrades"]);
        assert_eq!(handshake["upgrades"].to_string(), upgrades);
        assert_eq!(handshake["pingInterval"], 25_000);
        assert_eq!(handshake["pingTimeout"], 20_000);
        assert_eq!(handshake["maxPayload"], 1_000_000);
        sids.push(handshake["sid"].as_str().unwrap().to_owned());
    }
    assert_ne!(sids[0], sids[1]);
    assert!(sids.iter().all(|sid| sid.len() >= 22), "128 random bits at least");
    host.stop().await;
}

#[tokio::test]
async fn wrong_requests_are_refused_with_their_code() {
    let (host, _, _) = Toy::start(Settings::default());
    let session = host.poll().await;
    let on_socket = {
        let mut socket = host.socket("EIO=4&transport=websocket").await;
        let handshake: Value = serde_json::from_str(&socket.text().await[1..]).unwrap();
        (socket, handshake["sid"].as_str().unwrap().to_owned())
    };
    let of_socket = format!("EIO=4&transport=polling&sid={}", on_socket.1);
    let cases = [
        ("EIO=4".to_owned(), 0),
        ("EIO=4&transport=abc".to_owned(), 0),
        ("EIO=4&transport=webtransport".to_owned(), 0),
        ("EIO=4&transport=polling&sid=unknown".to_owned(), 1),
        (format!("EIO=4&transport=polling&sid={}x", &session.sid[1..]), 1),
        ("EIO=4&transport=websocket".to_owned(), 3),
        (format!("EIO=4&transport=websocket&sid={}", session.sid), 3),
        (of_socket.clone(), 3),
        ("transport=polling".to_owned(), 5),
        ("EIO=3&transport=polling".to_owned(), 5),
        ("EIO=abc&transport=polling".to_owned(), 5),
        ("EIO=4&transport=polling&banned".to_owned(), 4),
    ];
    for (query, code) in cases {
        host.get(&query).await.assert_refused(code);
    }
    host.post("EIO=4&transport=polling", "40").await.assert_refused(2);
    host.post("EIO=4&transport=websocket", "40").await.assert_refused(2);
    host.post(&of_socket, "40").await.assert_refused(3);
    Answer::of(host.http.put(host.url("EIO=4&transport=polling"))).await.assert_refused(2);
    Answer::of(host.http.put(host.url(&session.query()))).await.assert_refused(3);
    host.stop().await;
}

#[tokio::test]
async fn refused_websockets_get_an_http_answer_and_no_socket() {
    let (host, _, _) = Toy::start(Settings::default());
    let cases = [
        ("transport=websocket", 400, 5),
        ("EIO=abc&transport=websocket", 400, 5),
        ("EIO=4", 400, 0),
        ("EIO=4&transport=abc", 400, 0),
        ("EIO=4&transport=polling", 400, 3),
        ("EIO=4&transport=websocket&sid=unknown", 400, 1),
        ("EIO=4&transport=websocket&banned", 403, 4),
    ];
    for (query, status, code) in cases {
        let (found, body) = host.try_socket(query).await.err().unwrap();

        assert_eq!(found, status, "{query}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["code"], code, "{query}");
    }
    host.stop().await;
}

#[tokio::test]
async fn no_more_sessions_are_opened_than_allowed() {
    let (host, _, server) = Toy::start(Settings { max_sessions: 2, ..Settings::default() });
    let session = host.poll().await;
    let _socket = host.open().await;
    assert_eq!((server.stats().sessions, server.stats().websockets), (2, 1));

    let refused = host.get("EIO=4&transport=polling").await;
    let (refused_socket, _) = host.try_socket("EIO=4&transport=websocket").await.err().unwrap();

    assert_eq!((refused.status, refused_socket), (503, 503));
    assert_eq!(refused.header("retry-after"), Some("1"));
    session.send("1").await;
    wait_until("a place", || async { host.get("EIO=4&transport=polling").await.status == 200 }).await;
    assert_eq!(server.stats().opened, 3);
    host.stop().await;
}

async fn from(host: &crate::harness::Host, origin: &str) -> Answer {
    Answer::of(host.http.get(host.url("EIO=4&transport=polling")).header("origin", origin)).await
}

#[tokio::test]
async fn pages_of_other_origins_connect_as_the_settings_say() {
    let cors = |origins: &[&str], credentials| Settings {
        cors: CorsSettings {
            origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
            credentials,
        },
        ..Settings::default()
    };
    let app = "https://app.example";

    let (host, _, _) = Toy::start(cors(&[], false));
    let answer = from(&host, app).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None));
    host.stop().await;

    let (host, _, _) = Toy::start(cors(&["*"], false));
    let answer = from(&host, app).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("*")));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let refused = Answer::of(host.http.get(host.url("EIO=3&transport=polling")).header("origin", app)).await;
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"), "a page may read why");
    host.stop().await;

    let (host, _, _) = Toy::start(cors(&["*"], true));
    let answer = from(&host, app).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(app)));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(answer.header("vary"), Some("Origin"));
    host.stop().await;

    let (host, _, _) = Toy::start(cors(&[app], false));
    let answer = from(&host, app).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(app)));
    from(&host, "https://other.example").await.assert_refused(3);
    from(&host, "null").await.assert_refused(3);
    let own = from(&host, &format!("http://{}", host.address)).await;
    assert_eq!((own.status, own.header("access-control-allow-origin")), (200, None));
    assert_eq!(host.get("EIO=4&transport=polling").await.status, 200, "no page at all");
    host.stop().await;
}

#[tokio::test]
async fn preflights_are_answered() {
    let cors = CorsSettings { origins: vec!["https://app.example".to_owned()], credentials: false };
    let (host, _, _) = Toy::start(Settings { cors, ..Settings::default() });
    let asked = host.http.request(reqwest::Method::OPTIONS, host.url("EIO=4&transport=polling"));
    let asked = asked.header("origin", "https://app.example").header("access-control-request-method", "POST");

    let answer = Answer::of(asked.header("access-control-request-headers", "x-one, x-two")).await;

    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET, POST"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("x-one, x-two"));
    host.stop().await;
}
