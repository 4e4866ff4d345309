//! How a device comes to be.

use common::models::{AccountId, DeviceId};
use serde_json::json;
use testkit::on_both;
use testkit::signal::{DeviceRegistration, Identity};

use crate::harness::Keystore;

on_both! {
    async fn a_registered_device_has_a_mailbox_tokens_and_a_bundle(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let identity = Identity::new();
        let login = keystore.log_in(AccountId::new());
        let registration = DeviceRegistration::new(&identity);

        let answer = login.register(&registration).await.expect(201);

        let body = answer.value();
        assert_eq!(body["deviceId"], 1);
        assert_eq!(body["accountId"], json!(login.account));
        assert_eq!(body["sessionId"], json!(login.session));
        assert_eq!(body["expiresIn"], 900);
        assert_eq!(body["refreshToken"], format!("refresh of {}", login.session));
        let device = keystore.device_of(&login, &identity, &answer);
        assert_eq!(device.counts().await, [3, 3, 0]);
        let (_, registration_id) = keystore.peers.held().mailboxes[&(login.account, device.id)];
        assert_eq!(i64::from(registration_id), registration.registration_id);

        let bundle = keystore.bundle(login.account, "1").await.expect(200).value();
        assert_eq!(bundle["identityKey"], json!(identity.public_key()));
        let first = &bundle["devices"][0];
        assert_eq!(first["registrationId"], registration.registration_id);
        assert_eq!(first["signedPreKey"], json!(registration.signed_pre_key));
        assert_eq!(first["preKey"], json!(registration.pre_keys[0]));
        assert_eq!(first["pqPreKey"], json!(registration.pq_pre_keys[0]));
    }

    async fn devices_of_an_account_share_one_identity(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let (account, identity, other) = (AccountId::new(), Identity::new(), Identity::new());
        keystore.device(account, &identity).await;

        let refused = keystore.log_in(account).register(&DeviceRegistration::new(&other)).await.expect(409);
        let second = keystore.device(account, &identity).await;

        assert_eq!(refused.problem().slug(), "identity-mismatch");
        assert_eq!(second.id, DeviceId::new(2).unwrap());
        assert_eq!(keystore.device_ids(account).await, [1, 2]);
        let bundle = keystore.bundle(account, "*").await.expect(200).value();
        assert_eq!(bundle["devices"].as_array().unwrap().len(), 2);
    }

    async fn repeating_a_registration_gives_the_same_device_and_fresh_tokens(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let identity = Identity::new();
        let login = keystore.log_in(AccountId::new());
        let registration = DeviceRegistration::new(&identity);
        let first = login.register(&registration).await.expect(201).value();

        let again = login.register(&registration).await.expect(201);

        assert_eq!(again.value()["deviceId"], first["deviceId"]);
        assert_eq!(keystore.device_of(&login, &identity, &again).counts().await, [3, 3, 0]);
        assert_eq!(keystore.device_ids(login.account).await, [1]);
        let mut other = DeviceRegistration::new(&identity);
        other.registration_id = registration.registration_id % 16383 + 1;
        assert_eq!(login.register(&other).await.expect(409).problem().slug(), "session-bound");
    }

    async fn an_account_has_so_many_devices_and_no_more(db: TestDb) {
        let keystore = Keystore::start_with(&db, &[("keystore.max_devices", "2")]).await;
        let (account, identity) = (AccountId::new(), Identity::new());
        keystore.device(account, &identity).await;
        keystore.device(account, &identity).await;

        let third = keystore.log_in(account).register(&DeviceRegistration::new(&identity)).await.expect(409);

        assert_eq!(third.problem().slug(), "too-many-devices");
        assert_eq!(keystore.peers.held().mailboxes.len(), 2);
    }

    async fn of_many_first_devices_at_once_one_brings_the_identity(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let account = AccountId::new();
        let logins: Vec<_> = (0..6).map(|_| keystore.log_in(account)).collect();
        let registrations: Vec<_> = (0..6).map(|_| DeviceRegistration::new(&Identity::new())).collect();

        let all = logins.iter().zip(&registrations).map(|(login, one)| login.register(one));
        let answers = futures_util::future::join_all(all).await;

        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409, 409, 409]);
    }

    async fn a_replaced_device_is_gone_and_its_place_taken(db: TestDb) {
        // Its clock stands still: the new tokens are of the millisecond in which the old ones became void.
        let keystore = Keystore::start(&db).await;
        let (account, identity) = (AccountId::new(), Identity::new());
        let old = keystore.device(account, &identity).await;
        let (generation, _) = keystore.peers.held().mailboxes[&(account, old.id)];
        let registration = DeviceRegistration::new(&identity).replacing(old.id);
        let login = keystore.log_in(account);

        let answer = login.register(&registration).await.expect(201);

        let new = keystore.device_of(&login, &identity, &answer);
        assert_eq!(new.id, old.id);
        assert_eq!(new.counts().await, [3, 3, 0]);
        old.client.get("/v1/keys").await.assert_status(401);
        let (later, registration_id) = keystore.peers.held().mailboxes[&(account, old.id)];
        assert_ne!(later, generation);
        assert_eq!(i64::from(registration_id), registration.registration_id);
        let bundle = keystore.bundle(account, "*").await.expect(200).value();
        assert_eq!(bundle["devices"].as_array().unwrap().len(), 1);
        assert_eq!(bundle["devices"][0]["preKey"], json!(registration.pre_keys[0]));
    }

    async fn only_a_device_that_is_there_can_be_replaced(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let person = keystore.person().await;
        let nobody = DeviceRegistration::new(&person.identity).replacing(DeviceId::new(9).unwrap());
        let other = DeviceRegistration::new(&Identity::new()).replacing(person.id);

        let missing = keystore.log_in(person.account).register(&nobody).await.expect(404);
        let foreign = keystore.log_in(person.account).register(&other).await.expect(409);

        assert_eq!(missing.problem().slug(), "device-not-found");
        assert_eq!(foreign.problem().slug(), "identity-mismatch");
        assert_eq!(person.counts().await, [3, 3, 0]);
    }
}
