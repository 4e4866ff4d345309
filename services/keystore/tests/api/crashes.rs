//! Registrations and removals that are cut short at every step.

use std::time::Duration;

use common::models::AccountId;
use testkit::on_both;
use testkit::signal::{DeviceRegistration, Identity};
use testkit::wait::wait_until;

use crate::harness::{Keystore, Login};
use crate::peers::Does;

/// Longer than a registration may take.
const LATE: Duration = Duration::from_secs(600);

struct Stranded {
    login: Login,
    identity: Identity,
    registration: DeviceRegistration,
}

/// A registration that ends with 503 at the step that the test has broken.
async fn stranded(keystore: &Keystore) -> Stranded {
    let identity = Identity::new();
    let login = keystore.log_in(AccountId::new());
    let registration = DeviceRegistration::new(&identity);
    login.register(&registration).await.assert_status(503);
    keystore.bundle(login.account, "*").await.assert_status(404);
    assert!(keystore.device_ids(login.account).await.is_empty());
    Stranded { login, identity, registration }
}

async fn repeat_succeeds(keystore: &Keystore, stranded: &Stranded) {
    let answer = stranded.login.register(&stranded.registration).await.expect(201);

    assert_eq!(answer.value()["deviceId"], 1);
    let device = keystore.device_of(&stranded.login, &stranded.identity, &answer);
    assert_eq!(device.counts().await, [3, 3, 0]);
    assert!(keystore.peers.held().mailboxes.contains_key(&(device.account, device.id)));
    keystore.bundle(device.account, "1").await.assert_status(200);
}

/// The sweeper has given it up: another identity may register now.
async fn is_given_up(keystore: &Keystore, stranded: &Stranded) {
    wait_until("the mailbox to be closed", || async { keystore.peers.held().mailboxes.is_empty() }).await;
    let next = keystore.log_in(stranded.login.account);
    let other = DeviceRegistration::new(&Identity::new());
    wait_until("the device to be given up", || async { next.register(&other).await.status == 201 }).await;
    assert_eq!(keystore.device_ids(next.account).await, [2]);
}

on_both! {
    async fn mailbox_down_then_repeated(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        keystore.peers.held().open = Does::Fail;
        let stranded = stranded(&keystore).await;
        keystore.peers.held().open = Does::Work;

        repeat_succeeds(&keystore, &stranded).await;
    }

    async fn the_answer_of_mailbox_lost_then_repeated(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        keystore.peers.held().open = Does::WorkAndFail;
        let stranded = stranded(&keystore).await;
        let opened = keystore.peers.held().mailboxes.clone();
        keystore.peers.held().open = Does::Work;

        repeat_succeeds(&keystore, &stranded).await;

        assert_eq!(keystore.peers.held().mailboxes, opened, "the same generation");
    }

    async fn auth_down_then_repeated(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        keystore.peers.held().bind = Does::Fail;
        let stranded = stranded(&keystore).await;
        keystore.peers.held().bind = Does::Work;

        repeat_succeeds(&keystore, &stranded).await;
    }

    async fn the_answer_of_auth_lost_then_repeated(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        keystore.peers.held().bind = Does::WorkAndFail;
        let stranded = stranded(&keystore).await;
        keystore.peers.held().bind = Does::Work;

        repeat_succeeds(&keystore, &stranded).await;
    }

    async fn what_nobody_repeats_is_given_up(db: TestDb) {
        for (open, bind) in [(Does::Fail, Does::Work), (Does::WorkAndFail, Does::Work), (Does::Work, Does::Fail)] {
            let keystore = Keystore::start(&db).await;
            (keystore.peers.held().open, keystore.peers.held().bind) = (open, bind);
            let stranded = stranded(&keystore).await;
            (keystore.peers.held().open, keystore.peers.held().bind) = (Does::Work, Does::Work);

            keystore.clock.advance(LATE);

            is_given_up(&keystore, &stranded).await;
        }
    }

    async fn nothing_is_given_up_while_auth_cannot_be_asked(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        keystore.peers.held().bind = Does::Fail;
        let stranded = stranded(&keystore).await;
        (keystore.peers.held().bind, keystore.peers.held().accounts) = (Does::Work, Does::Fail);

        keystore.clock.advance(LATE);

        wait_until("the sweeper to have tried", || async {
            keystore.host.internal.get("/metrics").await.text().contains("unfinished_devices{service=\"keystore\"} 1")
        })
        .await;
        assert_eq!(keystore.peers.held().mailboxes.len(), 1);
        keystore.peers.held().accounts = Does::Work;
        is_given_up(&keystore, &stranded).await;
    }

    async fn an_account_that_is_gone_at_auth_gets_no_device(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let identity = Identity::new();
        let login = keystore.log_in(AccountId::new());
        keystore.peers.held().gone.insert(login.account);

        let refused = login.register(&DeviceRegistration::new(&identity)).await.expect(404);

        assert_eq!(refused.problem().slug(), "account-not-found");
        assert!(keystore.peers.held().mailboxes.is_empty());
        assert!(keystore.device_ids(login.account).await.is_empty());
        keystore.bundle(login.account, "*").await.assert_status(404);
    }

    async fn a_mailbox_that_may_not_be_opened_ends_the_registration(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let account = AccountId::new();
        for (refusal, status, slug) in
            [("account-deleted", 404, "account-not-found"), ("generation-closed", 409, "device-superseded")]
        {
            keystore.peers.held().refusal = Some(refusal);
            let login = keystore.log_in(account);

            let refused = login.register(&DeviceRegistration::new(&Identity::new())).await.expect(status);

            assert_eq!(refused.problem().slug(), slug);
        }
        keystore.peers.held().refusal = None;
        let device = keystore.device(account, &Identity::new()).await;
        assert_eq!(keystore.device_ids(account).await, [3]);
        assert_eq!(device.counts().await, [3, 3, 0]);
    }

    async fn a_stranded_device_of_a_deleted_account_is_erased(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        keystore.peers.held().bind = Does::Fail;
        let stranded = stranded(&keystore).await;
        keystore.peers.held().gone.insert(stranded.login.account);

        keystore.clock.advance(LATE);

        wait_until("the mailbox to be closed", || async { keystore.peers.held().mailboxes.is_empty() }).await;
        keystore.peers.held().bind = Does::Work;
        wait_until("the tombstone", || async {
            let late = keystore.log_in(stranded.login.account);
            late.register(&stranded.registration).await.status == 404
        })
        .await;
    }

    async fn a_mailbox_that_cannot_be_closed_is_closed_later(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let device = keystore.person().await;
        keystore.peers.held().close = Does::Fail;

        device.client.delete("/v1/devices/1").await.assert_status(204);

        assert!(keystore.device_ids(device.account).await.is_empty());
        keystore.bundle(device.account, "*").await.assert_status(404);
        assert_eq!(keystore.peers.held().mailboxes.len(), 1);
        keystore.peers.held().close = Does::Work;
        keystore.clock.advance(LATE);
        wait_until("the mailbox to be closed", || async { keystore.peers.held().mailboxes.is_empty() }).await;
        let login = keystore.log_in(device.account);
        wait_until("the row to go", || async { login.client.delete("/v1/devices/1").await.status == 404 }).await;
    }

    async fn a_device_removed_while_it_was_being_registered_never_becomes_active(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let identity = Identity::new();
        let (login, other) = (keystore.log_in(AccountId::new()), DeviceRegistration::new(&identity));
        keystore.peers.held().bind = Does::Hang;
        let registering = login.register(&other);
        let removing = async {
            keystore.peers.state.hanging.notified().await;
            keystore.log_in(login.account).client.delete("/v1/devices/1").await.assert_status(204);
            keystore.peers.held().bind = Does::Work;
        };

        let (answer, ()) = tokio::join!(registering, removing);

        // Auth did not answer in time; by then the device was gone.
        answer.assert_status(504);
        assert!(keystore.device_ids(login.account).await.is_empty());
        assert!(keystore.peers.held().mailboxes.is_empty());
    }
}
