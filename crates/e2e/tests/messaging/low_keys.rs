//! Prekeys that run out: their owner is told, on the socket and once.

use common::models::events::PreKeyKind;
use common::models::ws::KeysLow;
use serde_json::json;
use testkit::signal::{DeviceRegistration, pre_keys};
use testkit::ws::Push;

use crate::harness::{Front, assembled};
use crate::people::Person;

/// `keystore.low_water`.
const LOW_WATER: usize = 20;

testkit::on_both! {
    async fn the_owner_is_told_on_the_socket_once_for_each_time_that_keys_run_low(db: TestDb) {
        let host = assembled(&db).await;
        let front = Front::one(&host.url);
        let (_, alice) = Person::with_device(&front).await;
        let bob = Person::register(&front).await;
        let registration = DeviceRegistration::new(&bob.identity).with_keys(&bob.identity, LOW_WATER, 0);
        let phone = bob.register_device(&registration).await;
        let mut socket = phone.socket().await;
        assert_eq!(socket.backlog().await.1, 0);

        for first in [1000, 2000] {
            for _ in 0..4 {
                alice.bundle(bob.account).await;
            }

            let told = socket.next().await;

            let expected = KeysLow { kind: PreKeyKind::Ec, remaining: LOW_WATER as u32 - 1 };
            assert_eq!(told, Push::KeysLow(expected));
            let more = json!({"preKeys": pre_keys(first, 4)});
            phone.keystore().put("/v1/keys", &more).await.assert_status(200);
        }
        alice.send(&[&phone], "nothing else was told before this").await.assert_status(200);
        assert!(matches!(socket.next().await, Push::Message { .. }));
        host.stop().await;
    }
}
