//! From the QR code to the publisher's queue.

use common::crypto::jws::SigningKey;
use common::crypto::oaep::OaepPrivateKey;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::database::TestDb;
use testkit::host::{ADMIN_TOKEN, Apps, DATA_KEY, HostSettings, TestHost};
use testkit::http::Answer;
use testkit::rabbitmq::{Vhost, vhost};
use testkit::wait::wait_until;

use crate::publisher::Publisher;
use crate::user::{MESSAGE, PASSWORD, PHONE, User};

/// auth, sync and relay, with a user.
struct World {
    host: TestHost,
    vhost: Vhost,
    user: User,
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
        let user = User::register(&host.http, &host.database("auth")).await;
        Self { host, vhost, user }
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
}

testkit::on_both! {
    async fn an_app_synchronizes_and_its_sms_reaches_the_publisher(test: TestDb) {
        let world = World::start(&test).await;
        let publisher = Publisher::connect(world.vhost.url()).await;
        let operator = world.host.http.with_token(ADMIN_TOKEN);
        let client = operator.post("/v1/gateway-clients", &json!({})).await.expect(201).value();

        let ping = json!({"IMSI": "624012345678901", "MSISDN": "+237650000000", "seed_type": "seed"});
        world.call(&client, "/seeds/ping", &ping).await.assert_status(200);

        let app = world.user.synchronize(MESSAGE).await;
        world.forward(&client, &app.sms).await.assert_status(200);

        assert_eq!(app.frames, ["201- pause", "200- ack"]);
        assert_eq!(app.gateway_clients[0]["MSISDN"], "+237650000000", "{}", app.gateway_clients);
        let expected = json!({"MSISDN": PHONE, "platform": "gmail", "message": MESSAGE});
        assert_eq!(publisher.takes().await, expected);
        world.host.stop().await;
    }

    async fn each_device_has_a_key_of_its_own_until_the_account_is_deleted(test: TestDb) {
        let world = World::start(&test).await;
        let publisher = Publisher::connect(world.vhost.url()).await;
        let operator = world.host.http.with_token(ADMIN_TOKEN);
        let client = operator.post("/v1/gateway-clients", &json!({})).await.expect(201).value();
        let first = world.user.synchronize(MESSAGE).await.sms;
        let second = world.user.synchronize(MESSAGE).await.sms;

        for sms in [&second, &first] {
            world.forward(&client, sms).await.assert_status(200);
            assert_eq!(publisher.takes().await["message"], MESSAGE);
        }
        let third = world.user.synchronize(MESSAGE).await.sms;
        let user = &world.user.http;
        let request = user.request(Method::DELETE, "/v1/accounts/current").json(&json!({"password": PASSWORD}));
        user.send(request).await.assert_status(204);

        wait_until("its keys to be gone", || async { world.forward(&client, &third).await.status == 403 }).await;
        world.host.stop().await;
    }
}
