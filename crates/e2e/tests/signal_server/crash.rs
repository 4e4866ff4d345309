//! kill -9: what was answered with 201 or 200 is there, and what was given out is not given again.

use std::collections::BTreeSet;

use serde_json::json;
use testkit::on_both;
use testkit::program::{Program, ProgramSettings};
use testkit::signal::pre_keys;

use crate::harness::{User, assert_no_prekeys};

/// How often the server is killed.
const KILLS: i64 = 3;

on_both! {
    async fn a_killed_server_keeps_devices_keys_and_messages(db: TestDb) {
        let url = if db.settings().url.starts_with("postgres") { db.settings().url.clone() } else { String::new() };
        let settings = ProgramSettings {
            name: "sealpost",
            arguments: &["serve"],
            more: &[("database.url", &url)],
            ..ProgramSettings::default()
        };
        let mut sealpost = Program::start(settings).await.unwrap();
        let mut alice = User::sign_up(&sealpost.http, "alice").await;
        let mut bob = User::sign_up(&sealpost.http, "bob").await;
        alice.register(1234, 0).await;
        bob.register(5678, KILLS).await;
        sealpost.kill();
        sealpost.restart().await.unwrap();
        let (mut sent, mut given) = (Vec::new(), BTreeSet::new());

        for number in 0..KILLS {
            sent.push(alice.send(&bob, &format!("message {number}")).await.expect(201).value());
            let key = bob.identity.signed_pre_key(10 + number);
            bob.post("signedprekey", &json!(key)).await.assert_status(200);
            let bundle = alice.fetch("bob").await.expect(200).value();
            assert!(given.insert(bundle["preKey"]["keyId"].as_i64().unwrap()), "{bundle}");
            assert_eq!(bundle["signedPreKey"], json!(key));
            bob.post("prekeys", &json!(pre_keys(100 + number, 1))).await.assert_status(200);
            sealpost.kill();
            sealpost.restart().await.unwrap();
            assert_eq!(bob.messages().await, sent);
        }
        bob.delete(&json!([sent[0]["id"]])).await.assert_status(200);
        sealpost.kill();
        sealpost.restart().await.unwrap();

        assert_eq!(bob.messages().await, sent[1..]);
        for _ in 0..KILLS {
            let bundle = alice.fetch("bob").await.expect(200).value();
            assert!(given.insert(bundle["preKey"]["keyId"].as_i64().unwrap()), "{bundle}");
        }
        assert_no_prekeys(&alice.fetch("bob").await);
        let log = sealpost.log();
        let bundle = bob.identity.public_key().to_string();
        for secret in [crate::harness::PASSWORD, "message 0", &bundle] {
            assert!(!log.contains(secret), "{secret}");
        }
        sealpost.stop().await.unwrap();
    }
}
