//! From the QR code to the publisher's queue. The app is a script of curl and openssl.

use common::crypto::jws::SigningKey;
use common::crypto::oaep::OaepPrivateKey;
use diesel::RunQueryDsl as _;
use diesel::sql_types::Text;
use futures_util::StreamExt as _;
use lapin::options::BasicGetOptions;
use lapin::{Connection, ConnectionProperties};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::database::TestDb;
use testkit::host::{ADMIN_TOKEN, Apps, DATA_KEY, HostSettings, TestHost};
use testkit::http::Answer;
use testkit::peers::shell;
use testkit::rabbitmq::{Vhost, vhost};
use testkit::wait::{wait_for, wait_until};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

const PASSWORD: &str = "correct horse battery staple";
const PHONE: &str = "+237677123456";
const MESSAGE: &str = "g:a@b.c:::Hi:text";

/// What an app has then.
struct Synchronized {
    /// The text of its SMS.
    sms: String,
    /// Where it may send that.
    gateway_clients: Value,
    /// What the websocket told of it.
    frames: Vec<String>,
}

/// auth, sync and relay, with an account whose number is verified.
struct World {
    host: TestHost,
    vhost: Vhost,
    account: String,
    token: String,
}

impl World {
    async fn start(db: &TestDb) -> Self {
        let vhost = vhost().await;
        let signing_key = SigningKey::generate().unwrap().to_text();
        let server_key = OaepPrivateKey::generate_pem().unwrap();
        let settings = [
            ("auth.signing_key", signing_key.expose().as_str()),
            ("sync.private_key", server_key.as_str()),
            ("sync.data_key", DATA_KEY),
            ("relay.amqp_url", vhost.url()),
        ];
        let settings = HostSettings { more: &settings, ..HostSettings::default() };
        let apps = Apps::of::<auth::App>().and::<sync::App>().and::<relay::App>();
        let host = TestHost::start_all(apps, db, settings).await;
        let who = json!({"username": "ngozi", "password": PASSWORD});
        host.http.post("/v1/accounts", &who).await.assert_status(201);
        let session = host.http.post("/v1/sessions", &who).await.expect(201).value();
        let text = |name: &str| session[name].as_str().unwrap().to_owned();
        let (account, token) = (text("accountId"), text("accessToken"));
        // The way of a code over SMS is in the suite `e2e-sms`.
        let verified = account.clone();
        let sql = "UPDATE accounts SET phone = $1, phone_verified_at = created_at WHERE account_id = $2";
        let update = diesel::sql_query(sql).bind::<Text, _>(PHONE).bind::<Text, _>(verified);
        let auth = host.database("auth");
        let changed = auth.write(move |conn| Ok::<_, db::DbError>(update.execute(conn)?)).await;
        assert_eq!(changed.unwrap(), 1);
        Self { host, vhost, account, token }
    }

    /// Lets an app synchronize by the URL that the websocket shows.
    async fn synchronize(&self) -> Synchronized {
        let user = self.host.http.with_token(&self.token);
        let url = user.get(&format!("/v2/sync/users/{}", self.account)).await.expect(200).text();
        let (mut socket, _) = connect_async(url).await.unwrap();
        let shown = socket.next().await.unwrap().unwrap().into_text().unwrap();
        let mut app = tokio::process::Command::from(shell("synchronize"));
        let output = app.args([shown.as_str(), PASSWORD, MESSAGE]).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut frames = Vec::new();
        while let Some(Ok(Message::Text(frame))) = socket.next().await {
            frames.push(frame.to_string());
        }
        let output = String::from_utf8(output.stdout).unwrap();
        let (sms, gateway_clients) = output.split_once('\n').unwrap();
        Synchronized {
            sms: sms.to_owned(),
            gateway_clients: serde_json::from_str(gateway_clients).unwrap(),
            frames,
        }
    }

    /// Calls as a gateway client.
    async fn call(&self, client: &Value, path: &str, body: &Value) -> Answer {
        let [id, secret] = ["clientId", "secret"].map(|name| client[name].as_str().unwrap());
        let request = self.host.http.request(Method::POST, path);
        self.host.http.send(request.basic_auth(id, Some(secret)).json(body)).await
    }

    /// Hands an SMS in.
    async fn forward(&self, client: &Value, text: &str) -> Answer {
        self.call(client, "/sms/platform/gateway-client", &json!({"text": text, "MSISDN": PHONE})).await
    }

    /// Takes the next message out of the publisher's queue.
    async fn published(&self) -> Value {
        let connection =
            Connection::connect(self.vhost.url(), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let queue = "default-smswithoutborders-queue";
        let take =
            || async { channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await.unwrap() };
        serde_json::from_slice(&wait_for("a message for the publisher", take).await.data).unwrap()
    }
}

testkit::on_both! {
    async fn an_app_synchronizes_and_its_sms_reaches_the_publisher(test: TestDb) {
        let world = World::start(&test).await;
        let operator = world.host.http.with_token(ADMIN_TOKEN);
        let client = operator.post("/v1/gateway-clients", &json!({})).await.expect(201).value();

        let ping = json!({"IMSI": "624012345678901", "MSISDN": "+237650000000", "seed_type": "seed"});
        world.call(&client, "/seeds/ping", &ping).await.assert_status(200);

        let app = world.synchronize().await;
        world.forward(&client, &app.sms).await.assert_status(200);

        assert_eq!(app.frames, ["201- pause", "200- ack"]);
        assert_eq!(app.gateway_clients[0]["MSISDN"], "+237650000000", "{}", app.gateway_clients);
        let expected = json!({"MSISDN": PHONE, "platform": "gmail", "message": MESSAGE});
        assert_eq!(world.published().await, expected);
        world.host.stop().await;
    }

    async fn each_device_has_a_key_of_its_own_until_the_account_is_deleted(test: TestDb) {
        let world = World::start(&test).await;
        let operator = world.host.http.with_token(ADMIN_TOKEN);
        let client = operator.post("/v1/gateway-clients", &json!({})).await.expect(201).value();
        let first = world.synchronize().await.sms;
        let second = world.synchronize().await.sms;

        for sms in [&second, &first] {
            world.forward(&client, sms).await.assert_status(200);
            assert_eq!(world.published().await["message"], MESSAGE);
        }
        let third = world.synchronize().await.sms;
        let user = world.host.http.with_token(&world.token);
        let request = user.request(Method::DELETE, "/v1/accounts/current").json(&json!({"password": PASSWORD}));
        user.send(request).await.assert_status(204);

        wait_until("its keys to be gone", || async { world.forward(&client, &third).await.status == 403 }).await;
        world.host.stop().await;
    }
}
