//! Bundles: whose they are, and that each prekey is given once. What else happens at once.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::json;
use testkit::on_both;

use crate::harness::{Server, User, assert_coded, assert_no_prekeys, assert_no_recipient};

on_both! {
    async fn every_name_that_can_be_registered_is_found_in_the_path(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;

        for (name, path) in [
            ("Ünïcode.Ω", "%C3%9Cn%C3%AFcode.%CE%A9"), ("a+b@c-d_e.f", "a+b@c-d_e.f"), ("a+b", "a%2Bb"), ("ALICE", "ALICE"),
            ("x@test.com", "x%40test.com"),
        ] {
            let mut user = server.user(name).await;
            user.register(7, 1).await;
            let bundle = alice.client.get(&format!("/prekeybundle/{path}/1234/")).await.expect(200).value();
            assert_eq!(bundle["address"], format!("{name}.1"));
        }
        for path in ["Alice", "%61lice%20", "%FF", "a%2Fb", "%00"] {
            assert_no_recipient(&alice.client.get(&format!("/prekeybundle/{path}/1234/")).await);
        }
        let own = alice.client.get("/prekeybundle/%61lice/1234/").await.expect(200).value();
        assert_eq!(own["address"], "alice.1", "one's own uses a prekey up as well");
        assert_no_prekeys(&alice.fetch("alice").await);
    }

    async fn of_96_parallel_fetches_each_gets_another_prekey_and_the_next_none(db: TestDb) {
        let server = Server::start(&db).await;
        let (mut alice, mut bob) = (server.user("alice").await, server.user("bob").await);
        alice.register(1234, 0).await;
        bob.register(5678, 96).await;

        let given = join_all((0..96).map(async |_| {
            alice.fetch("bob").await.expect(200).value()["preKey"]["keyId"].as_i64().unwrap()
        }))
        .await;

        assert_eq!(given.into_iter().collect::<BTreeSet<i64>>(), (1..=96).collect());
        assert_no_prekeys(&alice.fetch("bob").await);
    }

    async fn of_parallel_registrations_one_wins_and_is_the_device(db: TestDb) {
        let server = Server::start(&db).await;
        let alice = server.user("alice").await;
        let devices: Vec<_> = (1..=8).map(|id| alice.device(id, 2)).collect();

        let answers = join_all(devices.iter().map(|device| alice.client.post("/device/", device))).await;

        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().zip(&devices).partition(|(answer, _)| answer.status == 201);
        for (answer, _) in &lost {
            assert_coded(answer, 403, "device_exists", "A device has already been created for this user");
        }
        let [(_, device)] = won[..] else { panic!("{} have won", won.len()) };
        let alice = User { registration_id: device["registrationId"].as_i64().unwrap(), ..alice };
        assert_eq!(alice.fetch("alice").await.expect(200).value()["preKey"], device["preKeys"][0]);
        assert_eq!(alice.messages().await.len(), 0);
    }

    async fn parallel_replacements_of_the_signed_prekey_leave_the_last_one(db: TestDb) {
        let server = Server::start(&db).await;
        let (_, bob) = server.pair().await;
        let mut carol = server.user("carol").await;
        carol.register(9, 40).await;

        let keys: Vec<_> = (0..16).map(|id| json!(carol.identity.signed_pre_key(id))).collect();
        let replacing = join_all(keys.iter().map(|key| carol.post("signedprekey", key)));
        let fetching = join_all((0..16).map(|_| bob.fetch("carol")));
        let (replaced, fetched) = tokio::join!(replacing, fetching);

        replaced.iter().for_each(|answer| answer.assert_status(200));
        for bundle in fetched {
            assert!(bundle.expect(200).value()["signedPreKey"]["publicKey"].is_string());
        }
        assert!(keys.contains(&bob.fetch("carol").await.expect(200).value()["signedPreKey"]));
    }
}
