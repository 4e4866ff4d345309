//! What the other services are told, and what they tell us.

use std::time::Duration;

use common::models::AccountId;
use common::models::events::{AccountChange, AccountEvent, PreKeyKind};
use db::{Db, DbError};
use serde_json::json;
use testkit::clock::START;
use testkit::events::published;
use testkit::on_both;
use testkit::signal::{DeviceRegistration, Identity, pre_keys};
use testkit::wait::wait_until;

use crate::harness::Keystore;

on_both! {
    async fn low_water_is_told_once_per_crossing(db: TestDb) {
        let data = tempfile::tempdir().unwrap();
        let keystore = Keystore::start_in(&db, data.path().to_owned()).await;
        let (account, identity) = (AccountId::new(), Identity::new());
        let registration = DeviceRegistration::new(&identity).with_keys(&identity, 22, 0);
        let device = keystore.device_with(account, &identity, &registration).await;

        for _ in 0..6 {
            keystore.bundle(account, "1").await.assert_status(200);
        }
        device.client.put("/v1/keys", &json!({"preKeys": pre_keys(100, 5)})).await.assert_status(200);
        for _ in 0..6 {
            keystore.bundle(account, "*").await.assert_status(200);
        }

        let low = AccountChange::KeysLow { device_id: device.id, kind: PreKeyKind::Ec, remaining: 19 };
        let event = AccountEvent { account_id: account, at: START, change: low };
        let stocked = AccountChange::KeysStocked { device_id: device.id, kind: PreKeyKind::Ec };
        let between = AccountEvent { account_id: account, at: START, change: stocked };
        assert_eq!(published(keystore.host, "keystore", &db, data.path()).await, [event.clone(), between, event]);
    }

    async fn keys_that_are_withdrawn_are_given_to_nobody_and_their_owner_is_told(db: TestDb) {
        let data = tempfile::tempdir().unwrap();
        let keystore = Keystore::start_in(&db, data.path().to_owned()).await;
        let (account, identity) = (AccountId::new(), Identity::new());
        let registration = DeviceRegistration::new(&identity).with_keys(&identity, 22, 22);
        let device = keystore.device_with(account, &identity, &registration).await;
        for _ in 0..3 {
            keystore.bundle(account, "1").await.assert_status(200);
        }
        let tables = Db::new(db.settings(), "keystore").unwrap();

        let withdrawn = tables.write(|conn| keystore::withdraw_one_time_keys(conn, START)).await.unwrap();

        let bundle = keystore.bundle(account, "1").await.expect(200).value();
        assert_eq!((withdrawn, device.counts().await), (2 * 19, [0, 0, 1]));
        assert!(bundle["devices"][0]["preKey"].is_null(), "{bundle}");
        let again = json!({"preKeys": registration.pre_keys});
        let again = device.client.put("/v1/keys", &again).await.expect(200).value();
        assert_eq!((&again["count"], again["alreadyUsed"].as_array().unwrap().len()), (&json!(0), 22));
        device.client.put("/v1/keys", &json!({"preKeys": pre_keys(100, 1)})).await.assert_status(200);
        assert_eq!(device.counts().await[0], 1);
        let told = [(PreKeyKind::Ec, 19), (PreKeyKind::Pq, 19), (PreKeyKind::Ec, 0), (PreKeyKind::Pq, 0)];
        let event = |(kind, remaining)| {
            let change = AccountChange::KeysLow { device_id: device.id, kind, remaining };
            AccountEvent { account_id: account, at: START, change }
        };
        assert_eq!(published(keystore.host, "keystore", &db, data.path()).await, told.map(event));
    }

    async fn removals_are_published(db: TestDb) {
        let data = tempfile::tempdir().unwrap();
        let keystore = Keystore::start_in(&db, data.path().to_owned()).await;
        let device = keystore.person().await;
        let (generation, _) = keystore.peers.held().mailboxes[&(device.account, device.id)];

        device.client.delete("/v1/devices/1").await.assert_status(204);

        let change =
            AccountChange::DeviceRemoved { device_id: device.id, generation, session_id: Some(device.session) };
        let event = AccountEvent { account_id: device.account, at: START, change };
        assert_eq!(published(keystore.host, "keystore", &db, data.path()).await, [event]);
    }

    async fn a_session_that_ended_has_no_say_and_its_device_stays(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let (account, identity) = (AccountId::new(), Identity::new());
        let login = keystore.log_in(account);
        let answer = login.register(&DeviceRegistration::new(&identity)).await.expect(201);
        let device = keystore.device_of(&login, &identity, &answer);
        let change = AccountChange::SessionRevoked { session_id: login.session };
        let event = AccountEvent { account_id: account, at: START, change };

        keystore.host.internal.post("/internal/keystore/v1/nudge", &event).await.assert_status(204);

        device.client.put("/v1/keys", &json!({"preKeys": pre_keys(100, 5)})).await.assert_status(401);
        device.client.delete("/v1/devices/1").await.assert_status(401);
        login.register(&DeviceRegistration::new(&identity)).await.assert_status(401);
        keystore.bundle(account, "1").await.assert_status(200);
        let later = keystore.log_in(account);
        let replacing = DeviceRegistration::new(&identity).replacing(device.id);
        later.register(&replacing).await.assert_status(201);
        assert_eq!(keystore.device_ids(account).await, [1]);
    }

    async fn a_deleted_account_leaves_nothing_and_gets_no_device_any_more(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let (device, other) = (keystore.person().await, keystore.person().await);
        let late = keystore.log_in(device.account);
        let stranger = AccountId::new();
        for account_id in [device.account, device.account, stranger] {
            let event = AccountEvent { account_id, at: START, change: AccountChange::Deleted };
            keystore.host.internal.post("/internal/keystore/v1/nudge", &event).await.assert_status(204);
        }

        keystore.bundle(device.account, "*").await.assert_status(404);
        late.register(&DeviceRegistration::new(&device.identity)).await.assert_status(401);
        keystore.bundle(other.account, "*").await.assert_status(200);
        let tables = Db::new(db.settings(), "keystore").unwrap();
        let account = device.account;
        for table in ["devices", "one_time_keys", "issued_keys"] {
            assert_eq!(rows_of(&tables, table, account).await, 0, "{table}");
        }
        assert_eq!(rows_of(&tables, "accounts", account).await, 1);
    }

    async fn a_deleted_account_is_remembered_for_as_many_days_as_the_settings_say(db: TestDb) {
        let keystore = Keystore::start_with(&db, &[("keystore.tombstone_days", "10")]).await;
        let (account, late) = (AccountId::new(), keystore.person().await);
        let event = AccountEvent { account_id: account, at: START, change: AccountChange::Deleted };
        keystore.host.internal.post("/internal/keystore/v1/nudge", &event).await.assert_status(204);
        let tables = Db::new(db.settings(), "keystore").unwrap();
        keystore.clock.advance(Duration::from_secs(9 * 24 * 3600));
        let kept = rows_of(&tables, "accounts", account).await;

        keystore.clock.advance(Duration::from_secs(2 * 24 * 3600));

        assert_eq!(kept, 1);
        wait_until("the tombstone to be gone", || async { rows_of(&tables, "accounts", account).await == 0 }).await;
        assert_eq!(rows_of(&tables, "accounts", late.account).await, 1, "who is not deleted stays");
    }

    async fn a_registration_that_comes_after_the_deletion_finds_no_account(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let account = AccountId::new();
        let event = AccountEvent { account_id: account, at: START, change: AccountChange::Deleted };
        keystore.host.internal.post("/internal/keystore/v1/nudge", &event).await.assert_status(204);
        // A second instance, whose gate has not heard of it.
        drop(keystore);
        let keystore = Keystore::start(&db).await;

        let refused = keystore.log_in(account).register(&DeviceRegistration::new(&Identity::new())).await;

        assert_eq!(refused.expect(404).problem().slug(), "account-not-found");
        assert!(keystore.peers.held().mailboxes.is_empty());
    }
}

/// Counts the rows of an account.
pub(crate) async fn rows_of(tables: &Db, table: &'static str, account: AccountId) -> i64 {
    use diesel::prelude::*;
    use diesel::sql_types::BigInt;

    #[derive(QueryableByName)]
    struct Rows {
        #[diesel(sql_type = BigInt)]
        n: i64,
    }
    let sql = format!("SELECT count(*) AS n FROM {table} WHERE account_id = '{account}'");
    let rows = tables.read(move |conn| Ok::<_, DbError>(diesel::sql_query(sql).get_result::<Rows>(conn)?));
    rows.await.unwrap().n
}
