//! A standalone whose tables move to PostgreSQL: what is refused, and what ends it early.

mod journey;

use std::path::Path;

use serde_json::json;
use testkit::database::TestDb;
use testkit::wait::wait_until;

use super::Standalone;
use super::messages::person;
use super::postgres::{Blocked, number, rows};
use crate::program::Place;

/// Settings for the one database and for the other.
fn write_settings(place: &Place, db: &TestDb, more: &str) {
    place.write("files.toml", more);
    place.write("postgres.toml", &format!("[database]\nurl = \"{}\"\n{more}", db.settings().url));
}

/// A stopped standalone with an account, a device and a message in `data`.
async fn stopped(place: &Place) {
    let server = Standalone::start(place, "").await;
    person(&server, "alice").await;
    server.stop().await;
}

#[tokio::test]
async fn a_standalone_that_runs_and_tables_that_have_rows_are_refused() {
    let (place, db) = (Place::new(), TestDb::postgres().await);
    write_settings(&place, &db, "");
    let server = Standalone::start(&place, "").await;
    person(&server, "alice").await;

    let running = place.sealpost("migrate --from-sqlite data --config postgres.toml").refusal();
    server.stop().await;
    let nowhere = place.sealpost("migrate --from-sqlite data").refusal();
    let nothing = place.sealpost("migrate --from-sqlite other --config postgres.toml").refusal();
    place.sealpost("migrate --from-sqlite data --config postgres.toml").ok();
    let before = rows(&db);
    let twice = place.sealpost("migrate --from-sqlite data --config postgres.toml").refusal();

    assert!(running.contains("in use by another sealpost"), "{running}");
    assert_eq!(nowhere, "database.url names no PostgreSQL to move to: give --config");
    assert_eq!(nothing, "other is no data directory of a standalone");
    assert!(twice.contains("the target is not empty: the table ") && twice.ends_with(" has rows"), "{twice}");
    assert_eq!((rows(&db), place.path("other").exists()), (before, false));
}

#[tokio::test]
async fn a_move_that_is_killed_has_moved_nothing_and_can_begin_again() {
    let (place, db) = (Place::new(), TestDb::postgres().await);
    write_settings(&place, &db, "");
    stopped(&place).await;
    place.sealpost("migrate --config postgres.toml").ok();

    let blocked = Blocked::new(&db);
    let mut moving = place.start("migrate --from-sqlite data --config postgres.toml");
    blocked.somebody_waits(&db).await;
    moving.kill();
    drop(blocked);
    // The server notices with its next word to us, and rolls back.
    let sessions = "SELECT count(*) AS number FROM pg_stat_activity \
                    WHERE datname = current_database() AND pid <> pg_backend_pid()";
    wait_until("the end of its session", || async { number(&db, sessions) == 0 }).await;
    let left = rows(&db);
    place.sealpost("migrate --from-sqlite data --config postgres.toml").ok();

    assert_eq!(left, 0);
    let server = Standalone::start(&place, "--config postgres.toml").await;
    let login = json!({"username": "alice", "password": "correct horse battery"});
    server.http.post("/v1/sessions", &login).await.assert_status(201);
}

#[tokio::test]
async fn a_move_that_is_interrupted_says_so() {
    let (place, db) = (Place::new(), TestDb::postgres().await);
    write_settings(&place, &db, "");
    stopped(&place).await;
    place.sealpost("migrate --config postgres.toml").ok();

    let blocked = Blocked::new(&db);
    let mut moving = place.start("migrate --from-sqlite data --config postgres.toml");
    blocked.somebody_waits(&db).await;
    moving.signal("INT");
    moving.says("asked to stop").await;
    drop(blocked);

    let (status, said) = (moving.end().await, moving.stderr());
    assert!(status.code() == Some(1) && said.ends_with("\nerror: interrupted; nothing was kept\n"), "{said}");
    assert_eq!(rows(&db), 0);
}

#[tokio::test]
async fn after_a_move_whoever_forgets_the_settings_is_refused() {
    let (place, db) = (Place::new(), TestDb::postgres().await);
    write_settings(&place, &db, "");
    stopped(&place).await;
    place.sealpost("migrate --from-sqlite data --config postgres.toml").ok();

    for (command, code) in [
        ("backup --to copy", 1),
        ("migrate", 1),
        ("serve --listen 127.0.0.1:0 --internal 127.0.0.1:0", 2),
        ("doctor", 2),
    ] {
        let ended = place.sealpost(&format!("{command} --data-dir data"));

        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(
            said.contains("data are in PostgreSQL: give the settings that name it"),
            "{command}: {ended:?}"
        );
        assert_eq!(ended.code, Some(code), "{command}: {ended:?}");
    }
    place.sealpost("backup --to copy --data-dir data --config postgres.toml").ok();
    std::fs::remove_file(place.path("data/tables-are-in-postgres")).expect("the note");
    place.sealpost("backup --to earlier --data-dir data").ok();
}

#[tokio::test]
async fn a_damaged_file_and_a_missing_one_move_nothing() {
    for (name, spoil, problem) in [
        ("mailbox.sqlite", (|path| std::fs::remove_file(path)) as fn(&Path) -> _, "is missing"),
        (
            "keystore.sqlite",
            |path| std::fs::write(path, "no database at all, and longer than a header"),
            "keystore",
        ),
    ] {
        let (place, db) = (Place::new(), TestDb::postgres().await);
        write_settings(&place, &db, "");
        stopped(&place).await;
        spoil(&place.path("data").join(name)).expect("a spoilt file");

        let ended = place.sealpost("migrate --from-sqlite data --config postgres.toml");

        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(problem), "{ended:?}");
        assert_eq!(rows(&db), 0);
    }
}
