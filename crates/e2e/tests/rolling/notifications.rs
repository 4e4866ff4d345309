//! Notifications of a back-end, and a client that resumes at the offset that it has seen.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::wait::wait_until;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::journal::{Accepted, Journal};
use crate::messages::RESTART;
use crate::world::World;

/// Between two notifications.
const PACE: Duration = Duration::from_millis(40);

/// How long a frame may take while notifications come all the time.
const FRAME_WITHIN: Duration = Duration::from_secs(20);

const CHANNEL: &str = "rolling";

/// The load, until it is finished.
pub(crate) struct Notifications {
    stop: CancellationToken,
    publishing: AbortOnDropHandle<Vec<Accepted>>,
    heard: Arc<Mutex<Heard>>,
    _listening: AbortOnDropHandle<()>,
}

/// What the client has: as many as the last offset says.
#[derive(Debug, Default)]
struct Heard {
    /// Null until it has subscribed.
    epoch: Value,
    data: Vec<Value>,
    closes: usize,
}

impl Notifications {
    pub(crate) async fn start(world: &World) -> Self {
        let backend = world.client().with_token(world.installation.secret("notify-api-key"));
        let issued =
            backend.post("/v1/notify/tokens", &json!({"channel": CHANNEL})).await.expect(201).value();
        let token = issued["token"].as_str().unwrap().to_owned();
        let (stop, heard) = (CancellationToken::new(), Arc::<Mutex<Heard>>::default());
        let listening = listen(world.url.clone(), token, Arc::clone(&heard), world.journal.clone());
        let listening = AbortOnDropHandle::new(tokio::spawn(listening));
        wait_until("a subscription", async || !heard.lock().unwrap().epoch.is_null()).await;
        let (journal, stopped) = (world.journal.clone(), stop.clone());
        let publishing = async move {
            let mut accepted = Vec::new();
            while !stopped.is_cancelled() {
                let what = format!("notification {}", accepted.len() + 1);
                let (key, body) =
                    (uuid::Uuid::new_v4().to_string(), json!({"channel": CHANNEL, "data": what}));
                let post = || {
                    let request = backend.request(Method::POST, "/v1/notify/messages");
                    request.header("idempotency-key", &key).json(&body)
                };
                let offset = journal.insist(&what, post).await.value()["offset"].as_u64();
                accepted.push(Accepted { what, during: journal.stage() });
                assert_eq!(offset, Some(accepted.len() as u64), "an offset for each, once");
                sleep(PACE).await;
            }
            accepted
        };
        let publishing = AbortOnDropHandle::new(tokio::spawn(publishing));
        Self { stop, publishing, heard, _listening: listening }
    }

    /// Stops, and checks that all that was accepted was heard. Says how much that was.
    pub(crate) async fn finish(self) -> String {
        self.stop.cancel();
        let accepted = self.publishing.await.unwrap();
        let last = accepted.last().expect("a notification").to_string();
        // The client itself sees to it that there is no gap before the last one.
        let all = async || self.heard.lock().unwrap().data.len() == accepted.len();
        wait_until(&last, all).await;
        let heard = self.heard.lock().unwrap();
        for (data, accepted) in heard.data.iter().zip(&accepted) {
            assert_eq!(*data, json!(accepted.what), "{accepted}");
        }
        assert!(heard.closes > 0, "no websocket was on a pod that went");
        format!("{} notifications, with {} closes", accepted.len(), heard.closes)
    }
}

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn listen(url: String, token: String, heard: Arc<Mutex<Heard>>, journal: Journal) {
    let url = format!("{}/v1/notify/ws", url.replacen("http", "ws", 1));
    loop {
        let mut socket = match connect_async(&url).await {
            Ok((socket, _)) => socket,
            Err(Error::Http(answer)) if !matches!(answer.status().as_u16(), 502..=504) => {
                panic!("{} during {}", answer.status(), journal.stage())
            }
            Err(error) => {
                journal.failed("the websocket of notifications", error);
                sleep(PACE).await;
                continue;
            }
        };
        let mut subscribe = json!({"type": "subscribe", "id": 1, "token": token});
        let resumes = {
            let Heard { epoch, data, .. } = &*heard.lock().unwrap();
            subscribe["offset"] = json!(data.len());
            subscribe["epoch"] = epoch.clone();
            !epoch.is_null()
        };
        // Of a lost connection, the next read tells the reason.
        let _ = socket.send(Message::text(subscribe.to_string())).await;
        while let Some(mut frame) = next(&mut socket, &journal).await {
            match frame["type"].as_str() {
                Some("subscribed") => {
                    let resumed = !resumes || frame["recovered"] == true;
                    assert!(resumed, "nothing to resume from during {}: {frame}", journal.stage());
                    heard.lock().unwrap().epoch = frame["epoch"].take();
                }
                Some("message") => {
                    let mut heard = heard.lock().unwrap();
                    let next = heard.data.len() + 1;
                    assert_eq!(frame["offset"], next, "a gap, or one twice, during {}", journal.stage());
                    heard.data.push(frame["data"].take());
                }
                _ => panic!("{frame} during {}", journal.stage()),
            }
        }
        heard.lock().unwrap().closes += 1;
    }
}

/// The next frame; none when the process restarts.
async fn next(socket: &mut Stream, journal: &Journal) -> Option<Value> {
    loop {
        let frame = timeout(FRAME_WITHIN, socket.next()).await;
        match frame.unwrap_or_else(|_| panic!("nothing is heard during {}", journal.stage())) {
            Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(Some(frame)))) if u16::from(frame.code) == RESTART => return None,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            other => panic!("{other:?} during {}", journal.stage()),
        }
    }
}
