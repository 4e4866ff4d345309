//! How often bundles may be fetched.

use testkit::on_both;

use super::{User, code};
use crate::harness::Keystore;

on_both! {
    async fn one_caller_cannot_drain_a_device(db: TestDb) {
        let limited = [("limits.enabled", "true"), ("limits.bundle_target.size", "2"), ("limits.search_account.size", "1")];
        let keystore = Keystore::start_with(&db, &limited).await;
        let (http, peers) = (&keystore.host.http, &keystore.peers);
        let (bob, _) = (User::with_device(http, peers, "bob", 3).await, User::with_device(http, peers, "alice", 3).await);
        for _ in 0..2 {
            bob.fetch("alice").await.assert_status(200);
        }

        let refused = bob.fetch("alice").await.expect(429);

        assert!(refused.value()["detail"].is_string() && refused.header("retry-after").is_some());
        bob.fetch("bob").await.assert_status(200);
        assert_eq!(code(&bob.fetch("nobody").await), (400, "no_recipient".to_owned()));
        bob.fetch("nobody").await.assert_status(429);
    }

    async fn the_throttles_of_the_original_count_failures_too(db: TestDb) {
        let throttled = [
            ("compat.signal_server.throttles", "true"),
            ("compat.signal_server.bundle_rate.calls", "3"),
            ("compat.signal_server.bundle_rate.per", "1day"),
        ];
        let keystore = Keystore::start_with(&db, &throttled).await;
        let (http, peers) = (&keystore.host.http, &keystore.peers);
        let bob = User::with_device(http, peers, "bob", 3).await;

        for name in ["nobody", "nobody", "bob"] {
            bob.fetch(name).await;
        }
        let refused = bob.fetch("bob").await.expect(429);

        assert_eq!(refused.header("retry-after"), Some("86400"));
        assert!(refused.value()["detail"].as_str().unwrap().contains("86400 seconds"));
        bob.client.post("/prekeys/1234/", &testkit::signal::pre_keys(9, 1)).await.assert_status(200);
    }
}
