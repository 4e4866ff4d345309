//! Logins, and a session that is refreshed without end.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::device::PASSWORD;
use crate::world::World;

/// Between two refreshes.
const PACE: Duration = Duration::from_millis(100);

/// Refreshes of one session.
const REFRESHES: usize = 10;

/// The load, until it is finished.
pub(crate) struct Sessions {
    stop: CancellationToken,
    running: AbortOnDropHandle<(usize, usize)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tokens {
    access_token: String,
    refresh_token: String,
}

impl Sessions {
    pub(crate) async fn start(world: &World) -> Self {
        let (client, journal, stop) = (world.client(), world.journal.clone(), CancellationToken::new());
        let login = json!({"username": "sessions", "password": PASSWORD});
        client.post("/v1/accounts", &login).await.assert_status(201);
        let stopped = stop.clone();
        let running = async move {
            let (mut logins, mut refreshes) = (0, 0);
            while !stopped.is_cancelled() {
                let log_in = || client.request(Method::POST, "/v1/sessions").json(&login);
                let mut tokens: Tokens = journal.insist("a login", log_in).await.json();
                logins += 1;
                for _ in 0..REFRESHES {
                    let body = json!({"refreshToken": tokens.refresh_token});
                    let refresh = client.request(Method::POST, "/v1/sessions/refresh").json(&body);
                    // One without an answer may have been done: its token must not be used again, and the client logs in.
                    let Some(answer) = journal.attempt("a refresh", refresh).await else { break };
                    tokens = answer.json();
                    refreshes += 1;
                    let list =
                        || client.with_token(&*tokens.access_token).request(Method::GET, "/v1/sessions");
                    journal.insist("a list of sessions", list).await;
                    sleep(PACE).await;
                }
            }
            (logins, refreshes)
        };
        Self { stop, running: AbortOnDropHandle::new(tokio::spawn(running)) }
    }

    /// Stops; every refresh token that was given was good for the next one. Says how many there were.
    pub(crate) async fn finish(self) -> String {
        self.stop.cancel();
        let (logins, refreshes) = self.running.await.unwrap();
        format!("{logins} logins, {refreshes} refreshes")
    }
}
