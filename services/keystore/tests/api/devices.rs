//! Listing and removing devices.

use common::models::events::AccountChange;
use common::models::internal::SeenDevice;
use common::models::{AccountId, DeviceId};
use serde_json::{Value, json};
use testkit::clock::START;
use testkit::on_both;
use testkit::signal::{DeviceRegistration, Identity};

use crate::harness::Keystore;
use crate::peers::Does;

on_both! {
    async fn the_owner_sees_names_and_times(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let (account, identity) = (AccountId::new(), Identity::new());
        let mut named = DeviceRegistration::new(&identity);
        named.name = Some("telephone".into());
        let device = keystore.device_with(account, &identity, &named).await;

        let listed = device.client.get("/v1/devices").await.expect(200).value();

        let expected = json!([{"deviceId": 1, "registrationId": named.registration_id, "name": "telephone",
            "createdAt": START}]);
        assert_eq!(listed, expected);
        let stranger = keystore.person().await;
        assert_ne!(stranger.client.get("/v1/devices").await.expect(200).value(), expected);
    }

    async fn the_owner_sees_on_which_day_a_device_was_last_seen_if_auth_can_tell(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let alice = keystore.person().await;
        keystore.device(alice.account, &alice.identity).await;
        let seen_at = async || {
            let listed = alice.client.get("/v1/devices").await.expect(200).value();
            [listed[0]["lastSeenAt"].clone(), listed[1]["lastSeenAt"].clone()]
        };

        keystore.peers.held().seen = vec![SeenDevice { device_id: DeviceId::new(2).unwrap(), seen_at: START }];
        assert_eq!(seen_at().await, [Value::Null, json!(START)]);
        keystore.peers.held().accounts = Does::Fail;

        assert_eq!(seen_at().await, [Value::Null, Value::Null]);
    }

    async fn a_device_is_renamed_by_its_account_alone(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let (alice, bob) = (keystore.person().await, keystore.person().await);
        let laptop = keystore.device(alice.account, &alice.identity).await;
        let name = |name: Option<&str>| json!({"name": name});
        let names = async || {
            let listed = alice.client.get("/v1/devices").await.expect(200).value();
            [listed[0]["name"].clone(), listed[1]["name"].clone()]
        };

        alice.client.put("/v1/devices/2/name", &name(Some("laptop"))).await.assert_status(204);
        bob.client.put("/v1/devices/2/name", &name(Some("mine"))).await.assert_status(404);

        assert_eq!(names().await, [json!(null), json!("laptop")]);
        laptop.client.put("/v1/devices/2/name", &name(None)).await.assert_status(204);
        assert_eq!(names().await, [json!(null), json!(null)]);
        let long = name(Some(&"x".repeat(226)));
        alice.client.put("/v1/devices/1/name", &long).await.assert_status(400);
    }

    async fn a_removed_device_is_gone_everywhere(db: TestDb) {
        // A busy peer hears of it as well.
        let keystore = Keystore::start_with(&db, &[("internal.nudge_timeout", "20s")]).await;
        let (account, identity) = (AccountId::new(), Identity::new());
        let (first, second) = (keystore.device(account, &identity).await, keystore.device(account, &identity).await);
        let (generation, _) = keystore.peers.held().mailboxes[&(account, second.id)];

        first.client.delete("/v1/devices/2").await.assert_status(204);

        assert_eq!(keystore.device_ids(account).await, [1]);
        keystore.bundle(account, "2").await.assert_status(404);
        second.client.get("/v1/keys").await.assert_status(401);
        assert_eq!(first.client.delete("/v1/devices/2").await.expect(404).problem().slug(), "device-not-found");
        let held = keystore.peers.held();
        assert!(!held.mailboxes.contains_key(&(account, second.id)));
        let mut told: Vec<&str> = held.nudges.iter().map(|(service, _)| *service).collect();
        told.sort_unstable();
        assert_eq!(told, ["auth", "mailbox"]);
        let change =
            AccountChange::DeviceRemoved { device_id: second.id, generation, session_id: Some(second.session) };
        assert!(held.nudges.iter().all(|(_, event)| event.account_id == account && event.change == change));
    }

    async fn nobody_removes_devices_of_others(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let (alice, bob) = (keystore.person().await, keystore.person().await);
        let second = keystore.device(alice.account, &alice.identity).await;

        let refused = bob.client.delete(&format!("/v1/devices/{}", second.id)).await;

        refused.assert_status(404);
        assert_eq!(keystore.device_ids(alice.account).await, [1, 2]);
    }

    async fn a_freed_id_rests_while_another_is_free(db: TestDb) {
        let keystore = Keystore::start_with(&db, &[("keystore.max_devices", "127")]).await;
        let (account, identity) = (AccountId::new(), Identity::new());
        let bare = || DeviceRegistration::new(&identity).with_keys(&identity, 0, 0);
        let first = keystore.device_with(account, &identity, &bare()).await;
        keystore.device_with(account, &identity, &bare()).await;
        first.client.delete("/v1/devices/2").await.assert_status(204);

        let mut given = Vec::new();
        for _ in 0..126 {
            given.push(keystore.device_with(account, &identity, &bare()).await.id);
        }

        let expected: Vec<DeviceId> = (3..=127).chain([2]).map(|id| DeviceId::new(id).unwrap()).collect();
        assert_eq!(given, expected);
    }

    async fn after_the_last_device_the_next_may_bring_a_new_identity(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let person = keystore.person().await;
        person.client.delete("/v1/devices/1").await.assert_status(204);

        let reborn = keystore.device(person.account, &Identity::new()).await;

        assert_eq!(reborn.id, DeviceId::new(2).unwrap());
        let bundle = keystore.bundle(person.account, "*").await.expect(200).value();
        assert_eq!(bundle["identityKey"], json!(reborn.identity.public_key()));
    }
}
