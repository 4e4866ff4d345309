//! Somebody of whom there is something wherever a service can have something of a person.

use std::time::Duration;

use db::Db;
use diesel::RunQueryDsl as _;
use diesel::sql_types::Text;
use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::host::ADMIN_TOKEN;
use testkit::peers::shell;
use testkit::program::Program;
use testkit::wait::wait_for_within;
use tokio_tungstenite::connect_async;

use crate::deletion::everywhere;
use crate::harness::Front;
use crate::people::{Device, Person};
use crate::traces::{Tables, count};

/// The key of a back-end that publishes to accounts.
pub(super) const API_KEY: &str = "key-of-the-test-0123456789";
/// The settings by which it may.
pub(super) const PUBLISHER: &str =
    "[notify.auth_keys]\ntest = { key = \"key-of-the-test-0123456789\", channels = [\"account:\"] }\n";

/// An account, and the texts by which it is found: its id first, then name, address and number.
pub(super) struct Subject {
    pub(super) id: String,
    pub(super) needles: [String; 4],
    pub(super) person: Person,
    devices: [Device; 2],
    friend: Device,
}

impl Subject {
    /// Makes one on a standalone: devices, keys that were fetched, messages both ways, blocks both ways, a link token, a
    /// second factor, mails, a phone, a channel, a synchronized phone and an SMS of it.
    pub(super) async fn everywhere(program: &Program, tables: &[Tables], number: usize) -> Self {
        let front = Front::one(&program.url);
        let (person, needles) = everywhere(&front, number).await;
        let subject = Self::with_devices(person, needles, &front).await;
        subject.is_woken(&tables[3].1).await;
        subject.channel(program).await;
        verify_number(&tables[0].1, &subject).await;
        subject.synchronize(program).await;
        subject
    }

    /// The part of it that needs no more than accounts, devices and mailboxes.
    pub(super) async fn with_devices(person: Person, needles: [String; 4], front: &Front) -> Self {
        let (_, friend) = Person::with_device(front).await;
        let (first, second) = (person.device().await, person.device().await);
        let (mine, id) = (first.mailbox(), person.account.to_string());
        friend.bundle(person.account).await;
        friend.send(&[&first, &second], "for the subject").await.assert_status(200);
        first.send(&[&friend], "of the subject").await.assert_status(200);
        mine.post("/v1/websocket/ticket", &json!({})).await.assert_status(201);
        mine.put(&format!("/v1/blocks/{}", friend.account), &json!({})).await.assert_status(204);
        friend.mailbox().put(&format!("/v1/blocks/{id}"), &json!({})).await.assert_status(204);
        let auth = front.auth.with_token(&first.token);
        auth.post("/v1/sessions/link-tokens", &json!({})).await.assert_status(201);
        Self { id, needles, person, devices: [first, second], friend }
    }

    /// Waits until `notify` has the wake-ups of both devices. They come by the bus: what they leave in the tables would
    /// appear while a test looks at these, or behind the deletion.
    pub(super) async fn is_woken(&self, notify: &Db) {
        let sql = "SELECT count(*) AS count FROM idempotency_keys WHERE channel = $1";
        // On a bus that a whole run shares there is much before them.
        wait_for_within(Duration::from_secs(60), "the wake-ups", || async {
            let count = count(notify, sql.to_owned(), format!("account:{}", self.id)).await;
            (count >= 2).then_some(())
        })
        .await;
    }

    /// What a back-end has told it.
    async fn channel(&self, program: &Program) {
        let publisher = program.http.with_token(API_KEY);
        let body = json!({"channel": format!("account:{}", self.id), "data": {"for": self.needles[1]}});
        publisher.post("/v1/notify/messages", &body).await.assert_status(200);
    }

    /// Its phone synchronizes, a second one does not come to an end, and an SMS of the first waits for the publisher.
    async fn synchronize(&self, program: &Program) {
        let http = program.http.with_token(self.person.log_in().await.access_token);
        let begin = async || http.get(&format!("/v2/sync/users/{}", self.id)).await.expect(200).text();
        let (mut socket, _) = connect_async(begin().await).await.unwrap();
        let shown = socket.next().await.unwrap().unwrap().into_text().unwrap();
        let mut app = tokio::process::Command::from(shell("synchronize"));
        let app =
            app.args([shown.as_str(), &self.person.password, "g:a@b.c:::Hi:text"]).output().await.unwrap();
        assert!(app.status.success(), "{}", String::from_utf8_lossy(&app.stderr));
        let output = String::from_utf8(app.stdout).unwrap();
        let operator = program.http.with_token(ADMIN_TOKEN);
        let modem = operator.post("/v1/gateway-clients", &json!({})).await.expect(201).value();
        let [id, secret] = ["clientId", "secret"].map(|name| modem[name].as_str().unwrap());
        let request = program.http.request(Method::POST, "/sms/platform/gateway-client");
        let sms = json!({"text": output.lines().next().unwrap(), "MSISDN": self.needles[3]});
        program.http.send(request.basic_auth(id, Some(secret)).json(&sms)).await.assert_status(200);
        begin().await;
    }

    /// Somebody whom it does not block sends so many messages to both of its devices.
    pub(super) async fn is_written_to(&self, count: usize) {
        let (_, stranger) = Person::with_device(&self.person.front).await;
        let [first, second] = &self.devices;
        for number in 0..count {
            stranger.send(&[first, second], &format!("message {number}")).await.assert_status(200);
        }
    }

    /// Nobody finds it, and it finds nothing.
    pub(super) async fn is_gone(&self, program: &Program) {
        let login = json!({"username": self.person.username, "password": self.person.password});
        program.http.post("/v1/sessions", &login).await.assert_status(401);
        self.friend.keystore().get(&format!("/v1/keys/{}/*", self.id)).await.assert_status(404);
        let waiting: Value = self.friend.mailbox().get("/v1/messages").await.expect(200).json();
        assert_eq!(waiting["messages"].as_array().unwrap().len(), 1, "what it has sent is its friend's");
    }
}

/// In the tables of `auth`: the way of a code over SMS is in the suite `e2e-sms`.
async fn verify_number(auth: &Db, subject: &Subject) {
    let sql = "UPDATE accounts SET phone_verified_at = created_at WHERE account_id = $1";
    let update = diesel::sql_query(sql).bind::<Text, _>(subject.id.clone());
    let changed = auth.write(move |conn| Ok::<_, db::DbError>(update.execute(conn)?)).await;
    assert_eq!(changed.unwrap(), 1);
}
