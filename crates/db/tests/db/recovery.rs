//! A database that is away, refuses, or goes while it is used.

use std::time::Instant;

use testkit::database::{TestDb, administer};
use testkit::postgres::Postgres;
use testkit::wait::{wait_for, wait_until};

use super::*;

/// How long a call on a database that is away may take.
const BRIEF: Duration = Duration::from_secs(2);

/// Waits for the error that tells `cause`, which nobody knows before a first attempt has failed; gives its text. Until
/// then, too, each call says that the database is unavailable.
async fn unavailable(db: &Db, cause: &str) -> String {
    wait_for(cause, || async {
        let error = db.ping().await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(matches!(error, DbError::Unavailable(_)), "{text}");
        error.to_string().contains(cause).then_some(text)
    })
    .await
}

#[tokio::test]
async fn wrong_password_gives_the_true_error_soon() {
    let test = TestDb::postgres().await;
    let role = format!("guarded_{}", uuid::Uuid::new_v4().simple());
    administer(&test.settings().url, &format!("CREATE ROLE {role} LOGIN PASSWORD 'right'")).unwrap();
    let mut url = url::Url::parse(&test.settings().url).unwrap();
    url.set_username(&role).unwrap();
    url.set_password(Some("wr0ng")).unwrap();
    let mut settings = test.settings().clone();
    settings.url = url.to_string();
    let brief = db::DbSettings { checkout_timeout: BRIEF, ..settings.clone() };
    let db = Db::new(&brief, "test").unwrap();

    let text = unavailable(&db, "password authentication failed").await;

    assert!(!text.contains("wr0ng"), "{text}");
    url.set_password(Some("right")).unwrap();
    settings.url = url.to_string();
    Db::new(&settings, "test").unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn missing_database_folder_gives_the_true_error() {
    let db = Db::new(&db::DbSettings::new("sqlite:/proc/nowhere/x.sqlite"), "test").unwrap();

    unavailable(&db, "cannot create the database file").await;
}

#[tokio::test]
async fn long_outage_is_told_at_once_and_its_end_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("blocked");
    std::fs::write(&blocked, "a file where a folder has to be").unwrap();
    let mut settings = db::DbSettings::new(format!("sqlite:{}", blocked.join("x.sqlite").display()));
    settings.checkout_timeout = Duration::from_secs(1);
    let db = Db::new(&settings, "test").unwrap();
    wait_until("a prompt refusal", || async {
        let started = Instant::now();
        let refused = matches!(db.ping().await, Err(DbError::Unavailable(_)));
        refused && started.elapsed() < Duration::from_millis(300)
    })
    .await;

    std::fs::remove_file(&blocked).unwrap();

    wait_until("the database", || async { db.ping().await.is_ok() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handle_made_while_the_server_is_down_works_once_it_is_up_and_again_after_a_crash() {
    let mut server = Postgres::start().await.unwrap();
    let url = server.url();
    administer(&url, "CREATE SCHEMA test").unwrap();
    server.crash().await.unwrap();
    let brief = db::DbSettings { checkout_timeout: BRIEF, ..db::DbSettings::new(url) };
    let db = Db::new(&brief, "test").unwrap();
    unavailable(&db, "refused").await;

    server.restart().await.unwrap();
    wait_until("the server", || async { db.ping().await.is_ok() }).await;
    db.migrate(&MIGRATIONS).await.unwrap();
    db.write(|conn| insert(conn, "before", 1)).await.unwrap();
    fill_pool(&db).await;
    server.crash().await.unwrap();
    assert!(matches!(db.ping().await, Err(DbError::Unavailable(_))));
    server.restart().await.unwrap();

    wait_until("the server again", || async { db.write(|conn| insert(conn, "after", 1)).await.is_ok() })
        .await;
    assert_eq!(value(&db, "before").await, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_that_died_are_replaced_without_an_error() {
    let test = TestDb::postgres().await;
    let db = migrated(&test).await;
    fill_pool(&db).await;

    terminate_all(&test.settings().url);

    for _ in 0..8 {
        db.ping().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_cut_inside_a_transaction_is_unavailable_and_nothing_is_stored() {
    let test = TestDb::postgres().await;
    let db = migrated(&test).await;
    let url = test.settings().url.clone();

    let cut = db
        .write(move |conn| {
            insert(conn, "a", 1)?;
            terminate_all(&url);
            insert(conn, "b", 1)
        })
        .await;

    assert!(matches!(cut, Err(DbError::Unavailable(_))), "{cut:?}");
    assert_eq!(count(&db).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_cut_before_the_commit_is_never_reported_as_stored() {
    let test = TestDb::postgres().await;
    let db = migrated(&test).await;
    let url = test.settings().url.clone();

    let cut = db
        .write(move |conn| {
            insert(conn, "a", 1)?;
            terminate_all(&url);
            Ok::<_, DbError>(())
        })
        .await;

    assert!(matches!(cut, Err(DbError::CommitUnknown(_))), "{cut:?}");
    assert_eq!(count(&db).await, 0);
}

/// Ends every connection to the database of `url` but its own, and waits until they are gone.
pub(crate) fn terminate_all(url: &str) {
    administer(
        url,
        "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .unwrap();
}

/// Has all connections of the pool open at once.
async fn fill_pool(db: &Db) {
    let all_here = std::sync::Arc::new(std::sync::Barrier::new(8));
    let held: Vec<_> = (0..8)
        .map(|_| {
            let (db, all_here) = (db.clone(), all_here.clone());
            tokio::spawn(async move {
                // A slow server may let one in later than a call waits; the others wait for it here.
                wait_until("a connection", || async {
                    let all_here = all_here.clone();
                    let held = db.read(move |_| {
                        all_here.wait();
                        Ok::<_, DbError>(())
                    });
                    held.await.is_ok()
                })
                .await;
            })
        })
        .collect();
    for one in held {
        one.await.unwrap();
    }
}
