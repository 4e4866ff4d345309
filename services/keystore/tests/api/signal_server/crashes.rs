//! Registrations and removals that are cut short.

use std::time::Duration;

use common::models::SystemClock;
use diesel::RunQueryDsl as _;
use testkit::on_both;
use testkit::wait::wait_until;

use super::{User, code};
use crate::harness::Keystore;
use crate::killed::{kill_when_hanging, program};
use crate::peers::{Does, Peers};

/// Longer than the steps after the first may take.
const LATE: Duration = Duration::from_secs(60);

on_both! {
    async fn a_registration_that_mailbox_cannot_take_leaves_nothing(db: TestDb) {
        for open in [Does::Fail, Does::WorkAndFail] {
            let keystore = Keystore::start(&db).await;
            let (http, peers) = (&keystore.host.http, &keystore.peers);
            let (alice, bob) =
                (User::new(http, peers, "alice"), User::with_device(http, peers, "bob", 0).await);
            peers.held().open = open;
            alice.register(2).await.assert_status(503);
            assert_eq!(code(&bob.fetch("alice").await), (400, "no_device".to_owned()));
            peers.held().open = Does::Work;

            alice.register(2).await.assert_status(201);

            bob.fetch("alice").await.assert_status(200);
            let second = peers.held().signal_server.queues[&alice.account].generation;
            keystore.clock.advance(LATE);
            wait_until("the first try to be cleared away", || async {
                peers.held().signal_server.closed.len() == 1
            })
            .await;
            assert_eq!(peers.held().signal_server.queues[&alice.account].generation, second);
            bob.fetch("alice").await.assert_status(200);
            bob.client.delete("/device/").await.assert_status(204);
            alice.client.delete("/device/").await.assert_status(204);
        }
    }

    async fn a_registration_killed_half_way_is_finished_by_whoever_meets_it(db: TestDb) {
        let peers = Peers::start(std::sync::Arc::new(SystemClock)).await;
        let mut program = program(&db, &peers).await;
        let bob = User::with_device(&program.http, &peers, "bob", 0).await;
        let alice = User::new(&program.http, &peers, "alice");
        peers.held().open = Does::Hang;
        let request = alice.client.request(reqwest::Method::POST, "/device/").json(&alice.device(2));
        let registering = tokio::spawn(request.send());
        kill_when_hanging(&peers, &mut program).await;
        assert!(registering.await.unwrap().is_err());
        program.restart().await.unwrap();
        assert_eq!(code(&bob.fetch("alice").await), (400, "no_device".to_owned()));

        let again = alice.register(2).await;

        assert_eq!(code(&again), (403, "device_exists".to_owned()), "the one that was cut short");
        assert!(peers.held().signal_server.queues.contains_key(&alice.account));
        bob.fetch("alice").await.assert_status(200);
    }

    async fn a_device_that_nobody_comes_back_for_is_finished_too(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let (http, peers) = (&keystore.host.http, &keystore.peers);
        let bob = User::with_device(http, peers, "bob", 0).await;
        let alice = User::with_device(http, peers, "alice", 1).await;
        // As a crash after the first step leaves it.
        peers.held().signal_server.queues.remove(&alice.account);
        let sql = format!("UPDATE signal_server_devices SET state = 'opening' WHERE account_id = '{}'", alice.account);
        let tables = keystore.host.database("keystore");
        let cut = tables.write(move |conn| {
            db::on_backend!(conn, |c| diesel::sql_query(sql).execute(c)).map_err(db::DbError::from)
        });
        assert_eq!(cut.await.unwrap(), 1);
        assert_eq!(code(&bob.fetch("alice").await), (400, "no_device".to_owned()));

        keystore.clock.advance(LATE);

        wait_until("the device to be in use", || async { bob.fetch("alice").await.status == 200 }).await;
        assert!(peers.held().signal_server.queues.contains_key(&alice.account));
    }

    async fn a_queue_that_cannot_be_closed_is_closed_later_and_a_new_device_need_not_wait(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let (http, peers) = (&keystore.host.http, &keystore.peers);
        let alice = User::with_device(http, peers, "alice", 1).await;
        let first = peers.held().signal_server.queues[&alice.account].generation;
        peers.held().close = Does::Fail;

        alice.client.delete("/device/").await.assert_status(204);
        assert_eq!(code(&alice.client.delete("/device/").await), (400, "no_device".to_owned()));
        alice.register(1).await.assert_status(201);
        peers.held().close = Does::Work;
        keystore.clock.advance(LATE);

        wait_until("the first queue to be closed", || async {
            peers.held().signal_server.closed.contains(&first)
        })
        .await;
        let held = peers.held().signal_server.queues[&alice.account].generation;
        assert_ne!(held, first);
        alice.fetch("alice").await.assert_status(200);
    }

    async fn a_device_removed_while_it_was_being_registered_is_gone(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let (http, peers) = (&keystore.host.http, &keystore.peers);
        let alice = User::new(http, peers, "alice");
        peers.held().open = Does::Hang;
        let registering = alice.register(1);
        let removing = async {
            peers.state.hanging.notified().await;
            alice.client.delete("/device/").await.assert_status(204);
            peers.held().open = Does::Work;
        };

        let (answer, ()) = tokio::join!(registering, removing);

        // Mailbox did not answer in time; by then the device was gone.
        assert!([503, 504].contains(&answer.status.as_u16()), "{}", answer.text());
        assert!(peers.held().signal_server.queues.is_empty());
        assert_eq!(code(&alice.fetch("alice").await), (400, "no_device".to_owned()));
        alice.register(1).await.assert_status(201);
    }

    async fn a_registration_and_a_removal_at_once_are_one_after_the_other(db: TestDb) {
        // However long the pause lasts on a busy machine.
        let keystore = Keystore::start_with(&db, &[("internal.timeout", "20s")]).await;
        let (http, peers) = (&keystore.host.http, &keystore.peers);
        let alice = User::new(http, peers, "alice");
        peers.held().open = Does::Pause;
        let removing = async {
            peers.state.hanging.notified().await;
            alice.client.delete("/device/").await.assert_status(204);
            peers.held().open = Does::Work;
            peers.state.going_on.notify_one();
        };

        let (answer, ()) = tokio::join!(alice.register(1), removing);

        assert_eq!(answer.expect(201).value()["code"], "device_created");
        assert!(peers.held().signal_server.queues.is_empty());
        assert_eq!(code(&alice.fetch("alice").await), (400, "no_device".to_owned()));
        alice.register(1).await.assert_status(201);
    }

    async fn a_deleted_account_gets_no_device(db: TestDb) {
        let keystore = Keystore::start(&db).await;
        let (http, peers) = (&keystore.host.http, &keystore.peers);
        let alice = User::new(http, peers, "alice");
        peers.held().refusal = Some("account-deleted");

        let refused = alice.register(1).await.expect(401);

        assert_eq!(refused.header("www-authenticate"), Some(r#"Bearer realm="api""#));
        assert_eq!(code(&alice.client.delete("/device/").await), (400, "no_device".to_owned()));
    }
}
