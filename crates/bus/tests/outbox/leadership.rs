//! Several relays of one service on one PostgreSQL, and a server that goes.

use testkit::database::administer;
use testkit::postgres::Postgres;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_calm_relays_publish_each_row_once() {
    let test = TestDb::postgres().await;
    let db = with_table(&test).await;
    let producer = Recorder::with([]);
    let settings = RelaySettings { batch: 5, ..quick() };
    let relays = [(); 2].map(|()| Running::start(&test.open(), &producer, settings.clone()));

    for n in 0..200 {
        push(&db, [n]).await;
        relays.iter().for_each(|running| running.relay.wake());
    }
    wait_until_published(&db).await;
    for relay in relays {
        relay.stop().await;
    }

    assert_eq!(producer.values(), (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relay_of_another_service_on_the_same_server_is_no_rival() {
    let test = TestDb::postgres().await;
    let producer = Recorder::with([]);
    let mut relays = Vec::new();
    for service in ["auth", "mailbox"] {
        administer(&test.settings().url, &format!("CREATE SCHEMA {service}")).unwrap();
        let db = Db::new(test.settings(), service).unwrap();
        db.write(|conn| Ok::<_, DbError>(conn.batch_execute(outbox::POSTGRES)?)).await.unwrap();
        push(&db, [service]).await;
        relays.push(Running::start(&db, &producer, quick()));
    }

    producer.wait_for(2).await;

    for relay in relays {
        relay.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_relay_is_succeeded_and_nothing_is_lost() {
    let test = TestDb::postgres().await;
    let db = with_table(&test).await;
    let dying = Recorder::with([Answer::Confirm, Answer::Hang]);
    let first = Running::start(&test.open(), &dying, quick());
    push(&db, ["1"]).await;
    dying.wait_for(1).await;
    let heir = Recorder::with([]);
    let second = Running::start(&test.open(), &heir, quick());
    push(&db, ["2", "3"]).await;
    dying.hanging.notified().await;
    assert_eq!(heir.values(), [""; 0]);

    first.task.abort();
    assert!(first.task.await.unwrap_err().is_cancelled());

    wait_until_published(&db).await;
    push(&db, ["4"]).await;
    heir.wait_for(3).await;
    second.stop().await;
    assert_eq!(heir.values(), ["2", "3", "4"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relay_that_loses_its_connection_while_sending_finds_what_it_sent() {
    let test = TestDb::postgres().await;
    let db = with_table(&test).await;
    let producer = Recorder::with([Answer::Hang]);
    let relay = Running::start(&db, &producer, quick());
    push(&db, ["1", "2"]).await;
    producer.hanging.notified().await;

    administer(
        &test.settings().url,
        "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .unwrap();
    producer.release.notify_one();

    wait_until_published(&db).await;
    relay.stop().await;
    assert_eq!(producer.values(), ["1", "2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relay_survives_a_restart_of_its_database() {
    let mut server = Postgres::start().await.unwrap();
    let test = TestDb::on_server(&server.url());
    let db = with_table(&test).await;
    let producer = Recorder::with([]);
    let relay = Running::start(&db, &producer, quick());
    push(&db, ["before"]).await;
    wait_until_published(&db).await;

    server.crash().await.unwrap();
    server.restart().await.unwrap();
    push(&db, ["after"]).await;

    producer.wait_for(2).await;
    relay.stop().await;
    assert_eq!(producer.values(), ["before", "after"]);
}
