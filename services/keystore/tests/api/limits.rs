//! How often bundles may be fetched: each fetch may cost their owner a one-time key.

use std::time::Duration;

use common::models::AccountId;
use testkit::on_both;
use testkit::signal::Identity;

use crate::harness::Keystore;

const LIMITED: [(&str, &str); 4] = [
    ("limits.enabled", "true"),
    ("limits.bundle_target.size", "2"),
    ("limits.bundle_target.refill", "10m"),
    ("limits.bundle_owner.size", "3"),
];

on_both! {
    async fn one_caller_cannot_drain_a_device(db: TestDb) {
        let keystore = Keystore::start_with(&db, &LIMITED).await;
        let (device, other) = (keystore.person().await, keystore.person().await);
        let greedy = keystore.log_in(AccountId::new()).client;
        let path = format!("/v1/keys/{}/1", device.account);
        for _ in 0..2 {
            greedy.get(&path).await.assert_status(200);
        }

        let refused = greedy.get(&path).await.expect(429);

        assert_eq!(refused.problem().slug(), "rate-limited");
        assert_eq!(refused.header("retry-after"), Some("600"));
        assert_eq!(device.counts().await, [1, 1, 0], "nothing was taken");
        greedy.get(&format!("/v1/keys/{}/1", other.account)).await.assert_status(200);
        keystore.bundle(device.account, "1").await.assert_status(200);
        keystore.clock.advance(Duration::from_secs(600));
        greedy.get(&path).await.assert_status(200);
    }

    async fn a_caller_gets_no_more_by_registering_another_device(db: TestDb) {
        let keystore = Keystore::start_with(&db, &LIMITED).await;
        let target = keystore.person().await;
        let path = format!("/v1/keys/{}/1", target.account);
        let (account, identity) = (AccountId::new(), Identity::new());
        let one = keystore.device(account, &identity).await;
        one.client.get(&path).await.assert_status(200);
        one.client.get(&path).await.assert_status(200);

        let two = keystore.device(account, &identity).await;
        let refused = two.client.get(&path).await;

        refused.assert_status(429);
        assert_eq!(target.counts().await, [1, 1, 0], "nothing was taken");
    }

    async fn many_callers_together_cannot_drain_a_device(db: TestDb) {
        let keystore = Keystore::start_with(&db, &LIMITED).await;
        let (device, other) = (keystore.person().await, keystore.person().await);
        for _ in 0..3 {
            keystore.bundle(device.account, "1").await.assert_status(200);
        }

        let refused = keystore.bundle(device.account, "1").await.expect(429);

        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=18).contains(&wait), "{wait}");
        assert_eq!(device.counts().await, [0, 0, 0], "the last-resort key was not given either");
        keystore.bundle(other.account, "1").await.assert_status(200);
        keystore.clock.advance(Duration::from_secs(wait));
        keystore.bundle(device.account, "1").await.assert_status(200);
    }
}
