//! What a run leaves in logs and metrics: no content, password, token or full phone number.

use serde_json::json;
use testkit::database::TestDb;
use testkit::host::INTERNAL_TOKEN;
use testkit::kafka;
use testkit::program::{Program, ProgramSettings};
use testkit::wait::wait_until;
use testkit::ws::MessageSocket;

use crate::harness::{Front, signing_key};
use crate::journey::talk;
use crate::people::Person;

/// Everything of ours, and what others say below the level that a person would turn on.
const LOUD: &str = "debug,auth=trace,keystore=trace,mailbox=trace,service=trace,web=trace,bus=trace,db=trace,\
                    clients=trace,common=trace";

testkit::on_both! {
    async fn three_programs_at_their_loudest_tell_no_secret(db: TestDb) {
        let key = signing_key();
        let mut programs = three_programs(&db, &key).await;
        let [auth, keystore, mailbox] = &programs;
        let front = Front::of(&auth.url, &keystore.url, &mailbox.url);
        for secret in [&key, INTERNAL_TOKEN] {
            front.secrets.keep(secret);
        }

        talk(&front).await;
        failures(&front).await;

        for program in &programs {
            let metrics = program.metric_names().await;
            assert!(metrics.contains("http"), "{metrics}");
            front.secrets.assert_absent("metrics", &metrics);
        }
        for program in &mut programs {
            program.stop().await.unwrap();
            let log = program.log();
            assert!(log.lines().count() > 50, "a log that says nothing proves nothing: {log}");
            front.secrets.assert_absent("a log", &log);
        }
    }
}

/// The real binaries on one Kafka, each knowing where the others are.
async fn three_programs(db: &TestDb, key: &str) -> [Program; 3] {
    let (brokers, prefix) = (kafka::bootstrap().await, kafka::unique("e2e"));
    let mut programs = ["sealpost-auth", "sealpost-keystore", "sealpost-mailbox"].map(|name| {
        let more = [
            ("bus.kind", "kafka"),
            ("bus.brokers", brokers),
            ("bus.group_prefix", &prefix),
            ("limits.enabled", "false"),
            ("telemetry.level", LOUD),
        ];
        Program::prepare(ProgramSettings { name, more: &more, ..ProgramSettings::default() }).unwrap()
    });
    programs[0].set("auth.signing_key", key);
    let mail = programs[0].data_dir().join("mail").display().to_string();
    programs[0].set("auth.mail", &mail);
    let jwks = format!("{}/.well-known/jwks.json", programs[0].url);
    let urls = programs.each_ref().map(|program| program.internal_url.clone());
    for program in &mut programs {
        program.set("internal.auth_url", &urls[0]);
        program.set("internal.keystore_url", &urls[1]);
        program.set("internal.mailbox_url", &urls[2]);
        program.set("internal.jwks_url", &jwks);
        if db.settings().url.starts_with("postgres") {
            program.set("database.url", &db.settings().url);
        }
    }
    let [auth, keystore, mailbox] = &mut programs;
    let (auth, keystore, mailbox) = tokio::join!(auth.restart(), keystore.restart(), mailbox.restart());
    auth.and(keystore).and(mailbox).unwrap();
    programs
}

/// What goes wrong is what gets logged: wrong passwords, torn bodies, foreign tokens, sends that are refused.
async fn failures(front: &Front) {
    let (bob, device) = Person::with_device(front).await;
    let (_, alice) = Person::with_device(front).await;
    let wrong = "not the password of anybody";
    front.secrets.keep(wrong);
    let body = json!({"username": bob.username, "password": wrong});
    front.auth.post("/v1/sessions", &body).await.assert_status(401);
    let body = json!({"username": bob.username, "password": bob.password, "pasword": wrong});
    front.auth.post("/v1/sessions", &body).await.assert_status(400);
    let body = json!({"username": {"name": wrong}, "password": [bob.password]});
    front.auth.post("/v1/accounts", &body).await.assert_status(400);
    let body = json!({"refreshToken": wrong});
    front.auth.post("/v1/sessions/refresh", &body).await.assert_status(401);

    second_factor(front).await;

    let forged = format!("{}x", device.token);
    front.mailbox.with_token(&forged).get("/v1/messages").await.assert_status(401);
    front.keystore.with_token(&forged).get("/v1/keys").await.assert_status(401);
    assert!(MessageSocket::try_connect(&front.mailbox_url, &forged).await.is_err());

    let ticket = device.mailbox().post("/v1/websocket/ticket", &json!({})).await.expect(201).value();
    let ticket = ticket["ticket"].as_str().unwrap();
    front.secrets.keep(ticket);
    front.secrets.keep(ticket.rsplit('.').next().unwrap());
    // No handshake of a websocket, and then no ticket any more.
    for status in [400, 401] {
        front.mailbox.get(&format!("/v1/websocket?ticket={ticket}")).await.assert_status(status);
    }

    let torn = "torn content of a message that never was";
    front.secrets.keep(torn);
    let mailbox = alice.mailbox();
    let request = mailbox.request(reqwest::Method::PUT, &format!("/v1/messages/{}", bob.account));
    mailbox.send(request.header("content-type", "application/json").body(torn)).await.assert_status(400);
    let body = json!({"messages": [{"content": torn}], "timestamp": torn});
    mailbox.put(&format!("/v1/messages/{}", bob.account), &body).await.assert_status(400);
    let mut socket = device.socket().await;
    assert!(socket.text(torn).await);
    assert_eq!(socket.closed().await, Some(1007));

    alice.send(&[&device], "left behind by the deleted").await.assert_status(200);
    bob.delete().await;
    wait_until("an end of the session", || async {
        device.mailbox().get("/v1/messages").await.status == 401
    })
    .await;
    // The token is refused at once; the account goes in a transaction behind that.
    wait_until("an account that is gone", || async {
        alice.send(&[&device], "for somebody who is gone").await.status == 404
    })
    .await;
}

/// A second factor, with its secret, codes and challenges; an address, which gets a mail.
async fn second_factor(front: &Front) {
    let person = Person::register(front).await;
    let auth = front.auth.with_token(person.log_in().await.access_token);
    let begun = auth.post("/v1/accounts/current/totp", &json!({"password": person.password})).await;
    let begun = begun.expect(201).value();
    let wrong = "the code that somebody made up";
    let email = "somebody.secret@example.org";
    for secret in [begun["secret"].as_str().unwrap(), begun["uri"].as_str().unwrap(), wrong, email] {
        front.secrets.keep(secret);
    }
    auth.post("/v1/accounts/current/totp/confirm", &json!({"code": wrong})).await.assert_status(401);
    let challenge = json!({"challenge": person.password, "code": wrong});
    front.auth.post("/v1/sessions/challenge", &challenge).await.assert_status(401);
    let body = json!({"email": email, "password": person.password});
    auth.put("/v1/accounts/current/email", &body).await.assert_status(202);
    front.auth.post("/v1/accounts/password/reset", &json!({"email": email})).await.assert_status(202);
    let body = json!({"token": wrong, "newPassword": person.password});
    front.auth.post("/v1/accounts/password/reset/confirm", &body).await.assert_status(422);
    let login = json!({"username": email, "password": person.password});
    front.auth.post("/v1/sessions", &login).await.assert_status(401);
}
