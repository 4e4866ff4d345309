//! The clients against a server that plays a script: what goes over the wire, what is repeated, what errors mean.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use clients::{AuthClient, ClientError, MailboxClient, Nudger, Peer, SyncClient, Timeouts, http_client};
use common::crypto::Secret;
use common::models::events::{AccountChange, AccountEvent};
use common::models::internal::OpenMailbox;
use common::models::{
    AccountId, AsProblem, DeviceId, Generation, ProblemKind, RegistrationId, SessionId, UnixMillis,
};
use telemetry::RequestContext;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const OK: &str = "HTTP/1.1 200 OK\r\n";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\n";

/// Answers one connection after the other with the next head and body of its script (the last one for ever), and
/// keeps the requests.
struct Script {
    url: url::Url,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Script {
    async fn play(answers: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let answers: Vec<String> = answers
            .iter()
            .map(|(head, body)| {
                format!("{head}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
            })
            .collect();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            for turn in 0.. {
                let (mut socket, _) = listener.accept().await.unwrap();
                let request = read_request(&mut socket).await;
                log.lock().unwrap().push(request);
                let answer = answers.get(turn).or(answers.last()).unwrap();
                if answer.starts_with("silence") {
                    std::future::pending::<()>().await;
                }
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { url, seen }
    }

    fn peer(&self, service: &'static str) -> Peer {
        self.peer_within(service, Duration::from_secs(20))
    }

    fn peer_within(&self, service: &'static str, patience: Duration) -> Peer {
        let timeouts = Timeouts { connect: Duration::from_secs(20), request: patience };
        let http = http_client(timeouts, false).unwrap();
        Peer::new(service, self.url.clone(), Secret::from("the internal token"), http).unwrap()
    }

    fn auth(&self) -> AuthClient {
        AuthClient::new(self.peer("auth"), None)
    }

    fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn read_request(socket: &mut tokio::net::TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = socket.read(&mut chunk).await.unwrap();
        request.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&request).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        if read == 0 || body.len() >= length.parse().unwrap() {
            return text;
        }
    }
}

fn device(id: i64) -> DeviceId {
    DeviceId::new(id).unwrap()
}

#[tokio::test]
async fn a_read_is_repeated_while_the_service_is_busy() {
    let server = Script::play(&[(BUSY, ""), (BUSY, ""), (OK, r#"{"sessions":[],"accounts":[]}"#)]).await;

    let revocations = server.auth().revocations().await.unwrap();

    assert!(revocations.sessions.is_empty());
    assert_eq!(server.requests().len(), 3);
    assert!(server.requests()[0].starts_with("get /internal/auth/v1/revocations http/1.1"));
}

#[tokio::test]
async fn a_call_that_must_not_be_repeated_is_made_once() {
    let server = Script::play(&[(BUSY, "")]).await;

    let error = server.auth().bind_device(SessionId::new(), AccountId::new(), device(1)).await.unwrap_err();

    assert!(matches!(error, ClientError::Unavailable { service: "auth", .. }));
    assert_eq!(error.kind(), ProblemKind::Unavailable);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn repetition_ends() {
    let server = Script::play(&[(BUSY, "")]).await;

    let error = server.auth().revocations().await.unwrap_err();

    assert!(error.is_transient());
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn the_token_goes_with_internal_calls_and_not_with_public_ones() {
    let server = Script::play(&[(OK, r#"{"keys":[]}"#), (OK, "{}")]).await;

    server.auth().jwks().await.unwrap();
    server.auth().account_exists(AccountId::new()).await.unwrap();

    let requests = server.requests();
    assert!(requests[0].starts_with("get /.well-known/jwks.json "));
    assert!(!requests[0].contains("authorization"), "{}", requests[0]);
    assert!(requests[1].contains("authorization: bearer the internal token"), "{}", requests[1]);
}

#[tokio::test]
async fn the_ids_of_the_request_go_along() {
    let server = Script::play(&[(OK, r#"{"keys":[]}"#)]).await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let context = RequestContext::from_headers(Some("req-7"), Some(parent));

    context.scope(async { server.auth().jwks().await }).await.unwrap();

    let request = &server.requests()[0];
    assert!(request.contains("x-request-id: req-7"), "{request}");
    assert!(request.contains("traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{request}");
    assert!(!request.contains("00f067aa0ba902b7"), "{request}");
}

#[tokio::test]
async fn a_refusal_carries_status_and_problem() {
    let body = r#"{"type":"urn:problem:session-bound","title":"Conflict","status":409}"#;
    let server = Script::play(&[("HTTP/1.1 409 Conflict\r\n", body)]).await;

    let error = server.auth().bind_device(SessionId::new(), AccountId::new(), device(2)).await.unwrap_err();

    assert_eq!(error.status(), Some(409));
    assert_eq!(error.kind(), ProblemKind::BadGateway);
    let ClientError::Refused { problem: Some(problem), .. } = error else { panic!("{error}") };
    assert_eq!(problem.type_uri, "urn:problem:session-bound");
}

#[tokio::test]
async fn an_unknown_account_does_not_exist() {
    let server = Script::play(&[("HTTP/1.1 404 Not Found\r\n", ""), (OK, "{}")]).await;

    assert!(!server.auth().account_exists(AccountId::new()).await.unwrap());
    assert!(server.auth().account_exists(AccountId::new()).await.unwrap());
}

#[tokio::test]
async fn nonsense_is_a_bad_answer_that_does_not_quote_the_body() {
    let server = Script::play(&[(OK, r#"{"keys": "hunter2"}"#)]).await;

    let error = server.auth().jwks().await.unwrap_err();

    assert_eq!(error.kind(), ProblemKind::BadGateway);
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Script::play(&[(OK, r#"{"keys":[]}"#)]).await;
    let head = format!("HTTP/1.1 302 Found\r\nlocation: {}\r\n", elsewhere.url);
    let server = Script::play(&[(&head, "")]).await;

    let error = server.auth().jwks().await.unwrap_err();

    assert!(matches!(error, ClientError::BadAnswer { .. }), "{error}");
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn silence_ends_in_a_timeout() {
    let server = Script::play(&[("silence", "")]).await;

    let auth = AuthClient::new(server.peer_within("auth", Duration::from_millis(300)), None);

    let error = auth.jwks().await.unwrap_err();

    assert_eq!(error.kind(), ProblemKind::Timeout);
}

#[tokio::test]
async fn a_mailbox_is_opened_and_closed_by_generation() {
    let server =
        Script::play(&[("HTTP/1.1 204 No Content\r\n", ""), ("HTTP/1.1 404 Not Found\r\n", "")]).await;
    let mailbox = MailboxClient::new(server.peer("mailbox"));
    let (account, generation) = (AccountId::new(), Generation::new());
    let body = OpenMailbox { generation, registration_id: RegistrationId::new(77).unwrap() };

    mailbox.open(account, device(3), &body).await.unwrap();
    mailbox.close(account, device(3), generation).await.unwrap();

    let requests = server.requests();
    assert!(
        requests[0].starts_with(&format!("put /internal/mailbox/v1/mailboxes/{account}/3 ")),
        "{}",
        requests[0]
    );
    assert!(requests[0].contains(r#""registrationid":77"#), "{}", requests[0]);
    let path = format!("delete /internal/mailbox/v1/mailboxes/{account}/3?generation={generation} ");
    assert!(requests[1].starts_with(&path), "{}", requests[1]);
}

#[tokio::test]
async fn shared_keys_are_asked_for_by_number() {
    let keys = r#"{"userId":"u","keys":[{"sessionId":"s","key":"0123456789abcdef0123456789abcdef"}]}"#;
    let server = Script::play(&[(OK, keys), ("HTTP/1.1 404 Not Found\r\n", "")]).await;
    let sync = SyncClient::new(server.peer("sync"));
    let phone = "+237677123456".parse().unwrap();

    let found = sync.shared_keys(&phone).await.unwrap().unwrap();

    assert_eq!(found.user_id, "u");
    assert_eq!(found.keys[0].key.expose(), "0123456789abcdef0123456789abcdef");
    assert!(sync.shared_keys(&phone).await.unwrap().is_none());
    assert!(server.requests()[0].starts_with("post /internal/sync/v1/shared-keys "));
    assert!(server.requests()[0].ends_with(r#"{"phone":"+237677123456"}"#));
}

#[tokio::test]
async fn a_nudge_reaches_all_and_waits_for_none_that_is_silent() {
    let silent = Script::play(&[("silence", "")]).await;
    let answering = Script::play(&[("HTTP/1.1 204 No Content\r\n", "")]).await;
    let own = Script::play(&[(OK, "")]).await;
    let peers = vec![silent.peer("mailbox"), answering.peer("keystore"), own.peer("auth")];
    let event =
        AccountEvent { account_id: AccountId::new(), at: UnixMillis(1), change: AccountChange::Deleted };

    // The one that is silent is given up, and the others have been told by then.
    let nudger = Nudger::new(peers, Duration::from_secs(8)).without("auth");
    let failed = tokio::time::timeout(Duration::from_secs(20), nudger.nudge(&event)).await.unwrap();

    assert_eq!(failed, 1);
    assert!(answering.requests()[0].starts_with("post /internal/keystore/v1/nudge "));
    assert!(answering.requests()[0].contains(r#""type":"account.deleted""#));
    assert!(own.requests().is_empty());
}
