//! What two instances are asked at once.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::Value;
use testkit::on_both;
use testkit::signal::Identity;

use super::{OWN, User, code, prekey_of};
use crate::harness::Keystore;

on_both! {
    async fn of_parallel_registrations_one_wins_and_the_others_are_told(db: TestDb) {
        let one = Keystore::start(&db).await;
        let other = one.another(&db).await;
        let user = |number: usize| {
            let host = if number.is_multiple_of(2) { &one.host } else { &other.host };
            User::new(&host.http, &one.peers, "alice")
        };
        let users: Vec<User> = (0..8).map(user).collect();

        let mut codes: Vec<_> = join_all(users.iter().map(async |user| code(&user.register(3).await))).await;

        codes.sort();
        let won = codes.iter().position(|(status, _)| *status == 201).unwrap();
        assert_eq!(codes.remove(won), (201, "device_created".to_owned()));
        assert!(codes.iter().all(|answer| *answer == (403, "device_exists".to_owned())), "{codes:?}");
        let bundle = users[0].fetch("alice").await.expect(200).value();
        let identities: Vec<Value> =
            users.iter().map(|user| user.identity.public_key().to_string().into()).collect();
        assert!(identities.contains(&bundle["identityKey"]));
        assert_eq!(one.peers.held().signal_server.queues.len(), 1);
    }

    async fn of_96_parallel_fetches_each_gets_another_prekey_and_the_next_none(db: TestDb) {
        let one = Keystore::start(&db).await;
        let other = one.another(&db).await;
        User::with_device(&one.host.http, &one.peers, "alice", 96).await;
        let here = User::with_device(&one.host.http, &one.peers, "bob", 0).await;
        let there = here.at(&other.host.http, &one.peers);

        let fetches = (0..96).map(|number| {
            let bob = if number % 2 == 0 { &here } else { &there };
            async move { prekey_of(&bob.fetch("alice").await.expect(200)) }
        });
        let given = join_all(fetches).await;

        assert_eq!(given.into_iter().collect::<BTreeSet<i64>>(), (1..=96).collect());
        assert_eq!(code(&here.fetch("alice").await), (400, "no_prekeys".to_owned()));
    }

    async fn a_signed_prekey_is_replaced_at_once_and_is_never_missing(db: TestDb) {
        let one = Keystore::start(&db).await;
        let other = one.another(&db).await;
        let alice = User::with_device(&one.host.http, &one.peers, "alice", 40).await;
        let elsewhere = alice.at(&other.host.http, &one.peers);
        let keys: Vec<_> = (0..20).map(|_| alice.identity.signed_pre_key(7)).collect();

        let replacing = join_all(keys.iter().enumerate().map(|(number, key)| {
            let client = if number % 2 == 0 { &alice.client } else { &elsewhere.client };
            async move { client.post(&format!("/signedprekey/{OWN}/"), key).await }
        }));
        let fetching = join_all((0..20).map(|_| alice.fetch("alice")));
        let (replaced, fetched) = tokio::join!(replacing, fetching);

        replaced.iter().for_each(|answer| answer.assert_status(200));
        for bundle in fetched {
            let bundle = bundle.expect(200).value();
            assert!(bundle["signedPreKey"]["signature"].is_string(), "{bundle}");
        }
        let last = alice.fetch("alice").await.value()["signedPreKey"].clone();
        assert!(keys.iter().any(|key| serde_json::to_value(key).unwrap() == last), "{last}");
    }

    async fn uploads_at_once_stay_within_the_room(db: TestDb) {
        let one = Keystore::start(&db).await;
        let other = one.another(&db).await;
        let alice = User::with_device(&one.host.http, &one.peers, "alice", 60).await;
        let elsewhere = alice.at(&other.host.http, &one.peers);
        let keys = |first| testkit::signal::pre_keys(first, 30);

        let path = format!("/prekeys/{OWN}/");
        let (first, second) = (keys(100), keys(200));
        let (here, there) = tokio::join!(alice.client.post(&path, &first), elsewhere.client.post(&path, &second));

        let mut codes = [code(&here), code(&there)];
        codes.sort();
        assert_eq!(codes, [(200, "prekeys_stored".to_owned()), (400, "reached_max_prekeys".to_owned())]);
        let given = join_all((0..90).map(async |_| prekey_of(&alice.fetch("alice").await.expect(200)))).await;
        assert_eq!(given.into_iter().collect::<BTreeSet<i64>>().len(), 90);
        assert_eq!(code(&alice.fetch("alice").await), (400, "no_prekeys".to_owned()));
    }

    async fn worlds_do_not_mix(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let (http, peers) = (&keystore.host.http, &keystore.peers);
        let alice = User::with_device(http, peers, "alice", 1).await;
        let own = keystore.device(alice.account, &Identity::new()).await;
        let stranger = User::with_device(http, peers, "bob", 1).await;

        let native = keystore.bundle(alice.account, "*").await.expect(200).value();
        let ours = own.client.get(&format!("/prekeybundle/bob/{OWN}/")).await;
        let theirs = stranger.client.get(&format!("/v1/keys/{}/*", alice.account)).await;

        assert_eq!(native["devices"].as_array().unwrap().len(), 1);
        assert_eq!((ours.status.as_u16(), theirs.status.as_u16()), (401, 401), "each token opens its own");
        keystore.bundle(stranger.account, "*").await.assert_status(404);
        let bundle = stranger.fetch("alice").await.expect(200).value();
        assert_eq!(bundle["identityKey"], alice.identity.public_key().to_string());
    }
}
