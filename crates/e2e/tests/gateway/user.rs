//! A user whose number is verified, and the app that synchronizes for one: a script of curl and openssl.

use db::Db;
use diesel::RunQueryDsl as _;
use diesel::sql_types::Text;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use testkit::http::TestClient;
use testkit::peers::shell;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const PHONE: &str = "+237677123456";
pub(crate) const MESSAGE: &str = "g:a@b.c:::Hi:text";

/// What an app has once it has synchronized.
pub(crate) struct Synchronized {
    /// The text of its SMS.
    pub(crate) sms: String,
    /// Where it may send that.
    pub(crate) gateway_clients: Value,
    /// What the websocket told of it.
    pub(crate) frames: Vec<String>,
}

/// An account, logged in.
pub(crate) struct User {
    pub(crate) http: TestClient,
    account: String,
}

impl User {
    /// Makes an account and verifies its number in the tables of `auth`: the way of a code over SMS is in the suite
    /// `e2e-sms`.
    pub(crate) async fn register(http: &TestClient, auth: &Db) -> Self {
        let who = json!({"username": "ngozi", "password": PASSWORD});
        http.post("/v1/accounts", &who).await.assert_status(201);
        let session = http.post("/v1/sessions", &who).await.expect(201).value();
        let text = |name: &str| session[name].as_str().unwrap().to_owned();
        let (account, token) = (text("accountId"), text("accessToken"));
        let sql = "UPDATE accounts SET phone = $1, phone_verified_at = created_at WHERE account_id = $2";
        let update = diesel::sql_query(sql).bind::<Text, _>(PHONE).bind::<Text, _>(account.clone());
        let changed = auth.write(move |conn| Ok::<_, db::DbError>(update.execute(conn)?)).await;
        assert_eq!(changed.unwrap(), 1);
        Self { http: http.with_token(token), account }
    }

    /// Lets an app synchronize by the URL that the websocket shows; it makes one SMS of `message`.
    pub(crate) async fn synchronize(&self, message: &str) -> Synchronized {
        let url = self.http.get(&format!("/v2/sync/users/{}", self.account)).await.expect(200).text();
        let (mut socket, _) = connect_async(url).await.unwrap();
        let shown = socket.next().await.unwrap().unwrap().into_text().unwrap();
        let mut app = tokio::process::Command::from(shell("synchronize"));
        let output = app.args([shown.as_str(), PASSWORD, message]).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut frames = Vec::new();
        while let Some(Ok(message)) = socket.next().await {
            match message {
                Message::Text(frame) => frames.push(frame.to_string()),
                Message::Ping(_) | Message::Pong(_) => {}
                _ => break,
            }
        }
        let output = String::from_utf8(output.stdout).unwrap();
        let (sms, gateway_clients) = output.split_once('\n').unwrap();
        Synchronized {
            sms: sms.to_owned(),
            gateway_clients: serde_json::from_str(gateway_clients).unwrap(),
            frames,
        }
    }
}
