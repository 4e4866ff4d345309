//! Who has a device's socket, as the tables know it.

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use testkit::database::{TestDb, administer};
use testkit::rabbitmq::vhost;
use testkit::wait::wait_until;

use crate::events::{AVAILABLE, changes, told};
use crate::harness::{Device, TestApp};

diesel::table! {
    mailboxes (account_id, device_id) {
        account_id -> Text,
        device_id -> Integer,
        socket_claim -> BigInt,
        socket_process -> Nullable<Text>,
    }
}

/// Which process has the socket of a device.
async fn holder(app: &TestApp, device: &Device) -> Option<String> {
    let mine = mailboxes::table.filter(mailboxes::account_id.eq(device.account.to_string()));
    let select = mine.select(mailboxes::socket_process);
    let db = app.host.database("mailbox");
    db.read(move |conn| Ok::<_, db::DbError>(select.first(conn)?)).await.unwrap()
}

async fn forget_holder(app: &TestApp, device: &Device) {
    let account = device.account.to_string();
    let db = app.host.database("mailbox");
    let done = db.write(move |conn| {
        diesel::update(mailboxes::table.filter(mailboxes::account_id.eq(account)))
            .set(mailboxes::socket_process.eq(None::<String>))
            .execute(conn)?;
        Ok::<_, db::DbError>(())
    });
    done.await.unwrap();
}

/// What a query of one number gives.
async fn number(app: &TestApp, query: String) -> i64 {
    let db = app.host.database("mailbox");
    let select = diesel::select(sql::<BigInt>(&format!("({query})")));
    db.read(move |conn| Ok::<_, db::DbError>(select.get_result(conn)?)).await.unwrap()
}

testkit::on_both! {
    async fn a_socket_is_known_while_it_is_open(test: TestDb) {
        let app = TestApp::start(&test).await;
        let bob = app.device().await;
        assert_eq!(holder(&app, &bob).await, None);

        let mut socket = bob.connect().await;
        socket.queue_empty().await;

        let process = holder(&app, &bob).await;
        assert!(process.is_some());
        let mut second = bob.connect().await;
        second.queue_empty().await;
        assert_eq!(socket.closed().await, 4409);
        assert_eq!(holder(&app, &bob).await, process, "the earlier one does not take it along");
        drop(second);
        wait_until("nobody has it", || async { holder(&app, &bob).await.is_none() }).await;
        app.host.stop().await;
    }

    async fn a_socket_that_leaves_envelopes_behind_is_told_of(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob, carol) = (app.device().await, app.device().await, app.device().await);
        let mut sockets = Vec::new();
        for device in [&bob, &carol] {
            let mut socket = device.connect().await;
            socket.queue_empty().await;
            alice.send(device, "x").await.assert_status(200);
            let (id, ..) = socket.envelope().await;
            sockets.push((id, socket));
        }
        let (id, mut answered) = sockets.pop().unwrap();
        answered.answer(id, 200).await;
        wait_until("the ack is stored", || async { carol.fetch_all().await.is_empty() }).await;

        // The one without an answer, as when a phone goes into a tunnel.
        drop((sockets, answered));

        wait_until("both have left", || async {
            holder(&app, &bob).await.is_none() && holder(&app, &carol).await.is_none()
        })
        .await;
        let events = told(&test).await;
        assert_eq!(changes(&events, &bob), [AVAILABLE]);
        assert_eq!(changes(&events, &carol), []);
        app.host.stop().await;
    }

    async fn a_claim_that_others_took_for_dead_is_renewed(test: TestDb) {
        let app = TestApp::start_with(&test, &[("mailbox.recheck", "100ms")]).await;
        let (alice, bob) = (app.device().await, app.device().await);
        let mut socket = bob.connect().await;
        socket.queue_empty().await;
        let process = holder(&app, &bob).await;

        forget_holder(&app, &bob).await;

        wait_until("the claim is back", || async { holder(&app, &bob).await == process }).await;
        alice.send(&bob, "x").await.assert_status(200);
        assert_eq!(socket.envelope().await.1, 1);
        app.host.stop().await;
    }

    async fn the_patrol_makes_up_for_hints_that_never_came(test: TestDb) {
        // Two processes without a broker between them.
        let settings = [("mailbox.recheck", "200ms"), ("mailbox.process_check", "1h")];
        let here = TestApp::start_with(&test, &settings).await;
        let there = here.sibling(&test, &settings).await;
        let (alice, bob, carol) = (here.device().await, here.device().await, here.device().await);
        let (mut first, mut other) = (bob.at(&here).connect().await, carol.connect().await);
        first.queue_empty().await;
        other.queue_empty().await;

        alice.at(&there).send(&bob, "x").await.assert_status(200);
        there.close(&carol, carol.generation).await.assert_status(204);

        assert_eq!(first.envelope().await.1, 1);
        assert_eq!(other.closed().await, 4401);
        let mut second = bob.at(&there).connect().await;
        assert_eq!(first.closed().await, 4409);
        assert_eq!(second.envelope().await.1, 1);
        there.host.stop().await;
        here.host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_leaves_no_device_behind_as_connected() {
    let (test, vhost) = (TestDb::postgres().await, vhost().await);
    let settings = [("live.url", vhost.url()), ("mailbox.process_check", "200ms")];
    let here = TestApp::start_with(&test, &settings).await;
    let mut there = here.program(&test, &settings).await;
    let (alice, bob, carol) = (here.device().await, here.device().await, here.device().await);
    let mut sockets = Vec::new();
    for device in [&bob, &carol] {
        let mut socket = device.at_url(&there.url).connect().await;
        socket.queue_empty().await;
        sockets.push(socket);
    }
    let staying = here.device().await;
    let mut stays = staying.connect().await;
    stays.queue_empty().await;
    alice.send(&bob, "never answered").await.assert_status(200);
    sockets[0].envelope().await;
    assert_eq!(changes(&told(&test).await, &bob), [], "another process has its socket");

    there.kill();

    wait_until("nobody has them", || async {
        holder(&here, &bob).await.is_none() && holder(&here, &carol).await.is_none()
    })
    .await;
    assert_eq!(changes(&told(&test).await, &bob), [AVAILABLE]);
    alice.send(&carol, "for nobody yet").await.assert_status(200);
    assert_eq!(changes(&told(&test).await, &carol), [AVAILABLE]);
    assert!(holder(&here, &staying).await.is_some());
    let mut socket = bob.connect().await;
    assert_eq!(socket.envelope().await.2, "never answered");
    alice.send(&staying, "x").await.assert_status(200);
    assert_eq!(stays.envelope().await.1, 1);
    here.host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_is_made_while_its_process_is_struck_off_is_not_forgotten() {
    let test = TestDb::postgres().await;
    let here = TestApp::start_with(&test, &[("mailbox.process_check", "100ms")]).await;
    // It notices only once that it has no lock, and that is when it starts.
    let mut there = here.program(&test, &[("mailbox.process_check", "1h")]).await;
    let bob = here.device().await;
    let mut socket = bob.at_url(&there.url).connect().await;
    socket.queue_empty().await;
    let process = holder(&here, &bob).await.unwrap();
    drop(socket);
    wait_until("it has no claims", || async { holder(&here, &bob).await.is_none() }).await;
    let waiting = || {
        let all = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()";
        number(&here, format!("{all} AND wait_event_type = 'Lock'"))
    };

    let mut obstacle = PgConnection::establish(&test.settings().url).unwrap();
    obstacle.batch_execute("BEGIN; SELECT 1 FROM mailbox.mailboxes FOR UPDATE").unwrap();
    let again = bob.at_url(&there.url);
    let claim = tokio::spawn(async move {
        let mut socket = again.connect().await;
        socket.queue_empty().await;
        socket
    });
    wait_until("the claim to wait", || async { waiting().await == 1 }).await;
    let ended = number(
        &here,
        format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' \
             AND (classid::bigint << 32 | objid::bigint) = hashtextextended('sealpost.process.{process}', 0)"
        ),
    );
    assert_eq!(ended.await, 1, "the session with its lock");
    wait_until("it is struck off, unless that waits too", || async {
        let listed = format!("SELECT count(*) FROM processes WHERE process = '{process}'");
        number(&here, listed).await == 0 || waiting().await == 2
    })
    .await;
    obstacle.batch_execute("COMMIT").unwrap();
    let socket = claim.await.unwrap();
    there.kill();

    wait_until("nobody has it", || async { holder(&here, &bob).await.is_none() }).await;
    drop(socket);
    here.host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_that_cannot_be_ended_are_all_ended_once_the_table_takes_it() {
    let test = TestDb::postgres().await;
    let app = TestApp::start_with(&test, &[("mailbox.recheck", "100ms")]).await;
    let mut sockets = Vec::new();
    for _ in 0..3 {
        let mut socket = app.device().await.connect().await;
        socket.queue_empty().await;
        sockets.push(socket);
    }
    // A sequence is the one thing that a transaction changes although it fails.
    let refuse = "CREATE SEQUENCE mailbox.refusals;
        CREATE FUNCTION mailbox.refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN PERFORM nextval('mailbox.refusals'); RAISE EXCEPTION 'not now'; END$$;
        CREATE TRIGGER refuse BEFORE UPDATE ON mailbox.mailboxes FOR EACH ROW
            WHEN (NEW.socket_process IS NULL) EXECUTE FUNCTION mailbox.refuse()";
    administer(&test.settings().url, refuse).unwrap();

    drop(sockets);
    // The connections themselves cause fewer: the rest is of patrols.
    wait_until("refusals", || async {
        number(&app, "SELECT last_value FROM refusals".to_owned()).await >= 10
    })
    .await;
    administer(&test.settings().url, "DROP TRIGGER refuse ON mailbox.mailboxes").unwrap();

    wait_until("nobody has them", || async {
        let held = "SELECT count(*) FROM mailboxes WHERE socket_process IS NOT NULL";
        number(&app, held.to_owned()).await == 0
    })
    .await;
    app.host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_of_which_its_connection_never_heard_is_ended() {
    let test = TestDb::postgres().await;
    let app = TestApp::start_with(&test, &[("mailbox.recheck", "100ms")]).await;
    let (alice, bob) = (app.device().await, app.device().await);
    let mut stays = alice.connect().await;
    stays.queue_empty().await;
    let process = holder(&app, &alice).await.unwrap();
    // As if the claim had been stored whose answer is cut off in the commit.
    let cut = format!(
        "UPDATE mailbox.mailboxes SET socket_claim = socket_claim + 1, socket_process = '{process}'
            WHERE account_id = '{}';
        CREATE FUNCTION mailbox.cut() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN PERFORM pg_terminate_backend(pg_backend_pid()), pg_sleep(1); RETURN NULL; END$$;
        CREATE CONSTRAINT TRIGGER cut AFTER UPDATE ON mailbox.mailboxes DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW WHEN (NEW.socket_claim > OLD.socket_claim) EXECUTE FUNCTION mailbox.cut()",
        bob.account
    );
    administer(&test.settings().url, &cut).unwrap();

    assert_eq!(bob.connect().await.closed().await, 1011);

    wait_until("nobody has it", || async { holder(&app, &bob).await.is_none() }).await;
    assert_eq!(holder(&app, &alice).await, Some(process));
    alice.send(&bob, "x").await.assert_status(200);
    assert_eq!(changes(&told(&test).await, &bob), [AVAILABLE]);
    app.host.stop().await;
}
