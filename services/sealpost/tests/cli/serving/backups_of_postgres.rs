//! Backups of tables in PostgreSQL, and what is made of them.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use testkit::database::TestDb;

use super::Standalone;
use super::backups::{Made, back_up, base64_of, files, received};
use super::messages::person;
use super::postgres::{Blocked, rows};
use crate::program::Place;

/// Settings for a database, with more in them.
fn settings(place: &Place, name: &str, db: &TestDb, more: &str) {
    place.write(name, &format!("[database]\nurl = \"{}\"\n{more}", db.settings().url));
}

/// What begins with this is not finished.
fn unfinished(place: &Place) -> usize {
    let entries = std::fs::read_dir(place.path("")).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(".unfinished-")).count()
}

#[tokio::test]
async fn what_was_acknowledged_before_a_backup_of_postgres_is_in_it_and_in_both_databases_it_is_restored_to()
{
    let (place, db, other) = (Place::new(), TestDb::postgres().await, TestDb::postgres().await);
    place.write("token", "a token of the operator, long enough\n");
    settings(&place, "settings.toml", &db, "[internal]\ntoken_file = \"token\"\n");
    settings(
        &place,
        "other.toml",
        &other,
        "[internal]\ntoken_file = \"again/settings/internal.token_file\"\n",
    );
    let server = Standalone::start(&place, "--config settings.toml").await;
    let (alice, bob) = (person(&server, "alice").await, person(&server, "bob").await);

    let Made { copy, before, after, said } =
        back_up(&place, &server, (&alice, &bob), "--config settings.toml").await;

    assert!(said.contains("token is in it, which internal.token_file names"), "{said}");
    server.stop().await;
    let modes: Vec<u32> = files(&place.path(copy))
        .iter()
        .map(|file| file.metadata().expect("a file").permissions().mode() & 0o777)
        .collect();
    assert!(modes.len() > 20 && modes.iter().all(|mode| *mode == 0o600), "{modes:?}");
    place.sealpost(&format!("restore --check --from {copy} --data-dir nowhere")).ok();
    let restored = place.sealpost(&format!("restore --from {copy} --data-dir again --config other.toml"));
    assert!(restored.stderr.contains("rows are in PostgreSQL, each table compared"), "{restored:?}");
    assert!(!restored.stderr.contains("; 0 events"), "{restored:?}");
    restored.ok();
    let files_too = place.sealpost(&format!("restore --from {copy} --data-dir files"));
    files_too.ok();
    assert!(!place.path("again/mailbox.sqlite").exists() && place.path("files/mailbox.sqlite").exists());
    let noted = |data: &str| place.path(data).join("tables-are-in-postgres").exists();
    assert!(noted("data") && noted("again") && !noted("files"));
    let mut counts = Vec::new();
    for (data, config) in [("again", "--config other.toml"), ("files", "")] {
        let server = Standalone::start_on(&place, data, config).await;
        let found = received(&server, &bob.token).await;
        let expected: Vec<String> = (0..found.len()).map(base64_of).collect();
        assert_eq!(found, expected);
        assert!((before..=after + 1).contains(&found.len()), "{before} <= {} <= {after}", found.len());
        let login = json!({"username": "alice", "password": "correct horse battery"});
        server.http.post("/v1/sessions", &login).await.assert_status(201);
        counts.push(found.len());
        server.stop().await;
    }
    assert_eq!(counts[0], counts[1]);
}

#[tokio::test]
async fn only_empty_tables_are_restored_to_and_a_damaged_backup_to_none() {
    let (place, db, other) = (Place::new(), TestDb::postgres().await, TestDb::postgres().await);
    settings(&place, "settings.toml", &db, "");
    settings(&place, "other.toml", &other, "");
    let server = Standalone::start(&place, "--config settings.toml").await;
    person(&server, "alice").await;
    server.stop().await;
    place.sealpost("backup --to copy --data-dir data --config settings.toml").ok();
    let before = rows(&db);

    let full = place.sealpost("restore --from copy --data-dir again --config settings.toml");
    let mailbox = place.path("copy/mailbox.sqlite");
    let mut bytes = std::fs::read(&mailbox).expect("a file");
    *bytes.last_mut().expect("a byte") ^= 1;
    std::fs::write(&mailbox, bytes).expect("a file");
    let damaged = place.sealpost("restore --from copy --data-dir again --config other.toml").refusal();
    std::fs::remove_file(&mailbox).expect("a file");
    let missing = place.sealpost("restore --from copy --data-dir again --config other.toml").refusal();

    let full = full.refusal_line();
    assert!(full.contains("the target is not empty: the table "), "{full}");
    assert_eq!(damaged, "mailbox.sqlite is not what was backed up");
    assert!(missing.starts_with("copy/mailbox.sqlite: "), "{missing}");
    assert_eq!(rows(&db), before);
    assert_eq!((unfinished(&place), place.path("again").exists()), (0, false));
}

#[tokio::test]
async fn a_data_directory_whose_name_is_taken_once_the_rows_are_there_is_kept() {
    let (place, db) = (Place::new(), TestDb::postgres().await);
    settings(&place, "settings.toml", &db, "");
    let server = Standalone::start(&place, "").await;
    person(&server, "alice").await;
    server.stop().await;
    place.sealpost("backup --to copy --data-dir data").ok();
    place.sealpost("migrate --config settings.toml").ok();

    let blocked = Blocked::new(&db);
    let mut restoring = place.start("restore --from copy --data-dir again --config settings.toml");
    blocked.somebody_waits(&db).await;
    std::fs::create_dir_all(place.path("again/taken")).expect("a folder");
    drop(blocked);

    let (status, said) = (restoring.end().await, restoring.stderr());
    let (_, kept) = said.split_once("the rest of the data directory is in ").expect("its place");
    let (kept, _) = kept.split_once(": move what is in it to again").expect("what to do");
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        place.path(kept).join("secrets/admin-token").exists() && place.path(kept).join("bus.sqlite").exists()
    );
    assert!(rows(&db) > 0);
}

#[tokio::test]
async fn a_backup_without_tables_is_none() {
    let (place, db) = (Place::new(), TestDb::postgres().await);
    settings(&place, "settings.toml", &db, "");
    Standalone::start(&place, "--config settings.toml").await.stop().await;
    // As an earlier version has left it.
    std::fs::remove_file(place.path("data/tables-are-in-postgres")).expect("the note");

    let refused = place.sealpost("backup --to copy --data-dir data").refusal();

    assert_eq!(refused, "data has no auth.sqlite: if its tables are in PostgreSQL, give --config");
    assert_eq!((unfinished(&place), place.path("copy").exists()), (0, false));
}

#[tokio::test]
async fn tables_of_another_version_are_not_backed_up() {
    let (place, db) = (Place::new(), TestDb::postgres().await);
    settings(&place, "settings.toml", &db, "");

    let none = place.sealpost("backup --to copy --config settings.toml").refusal();
    place.sealpost("migrate --config settings.toml").ok();
    testkit::database::administer(
        &db.settings().url,
        "INSERT INTO notify.__diesel_schema_migrations (version) VALUES ('29990101000001')",
    )
    .expect("a row");
    let newer = place.sealpost("backup --to copy --config settings.toml").refusal();

    assert!(none.starts_with("PostgreSQL: sms-gateway has not got migration 2026"), "{none}");
    assert_eq!(
        newer,
        "PostgreSQL: notify has migration 29990101000001 of a newer version of sealpost: use that one"
    );
    assert_eq!((unfinished(&place), place.path("copy").exists()), (0, false));
}

#[tokio::test]
async fn a_named_file_that_is_not_there_is_told_and_can_be_left_out() {
    let (place, db) = (Place::new(), TestDb::postgres().await);
    settings(&place, "settings.toml", &db, "[internal]\ntoken_file = \"none\"\n");
    place.sealpost("migrate --config settings.toml").ok();

    let refused = place.sealpost("backup --to copy --config settings.toml").refusal();
    let without = place.sealpost("backup --to copy --without-named-files --config settings.toml");

    assert!(
        refused.starts_with("internal.token_file names a file that cannot be backed up: none: "),
        "{refused}"
    );
    assert!(without.stderr.contains("no data directory of a standalone"), "{without:?}");
    without.ok();
    assert!(!place.path("copy/settings").exists());
}

#[tokio::test]
async fn an_interrupted_backup_leaves_nothing_and_a_killed_one_no_backup() {
    let (place, db) = (Place::new(), TestDb::postgres().await);
    settings(&place, "settings.toml", &db, "");
    place.sealpost("migrate --config settings.toml").ok();
    let backup = "backup --to copy --config settings.toml";

    let blocked = Blocked::new(&db);
    let mut interrupted = place.start(backup);
    blocked.somebody_waits(&db).await;
    interrupted.signal("TERM");
    interrupted.says("asked to stop").await;
    drop(blocked);
    let (status, said) = (interrupted.end().await, interrupted.stderr());
    let after_interruption = unfinished(&place);
    let blocked = Blocked::new(&db);
    let mut killed = place.start(backup);
    blocked.somebody_waits(&db).await;
    killed.kill();
    drop(blocked);
    let (after_kill, taken) = (unfinished(&place), place.path("copy").exists());

    assert!(status.code() == Some(1) && said.ends_with("error: interrupted; nothing was kept\n"), "{said}");
    assert_eq!((after_interruption, after_kill, taken), (0, 1, false));
    place.sealpost(backup).ok();
    place.sealpost("restore --check --from copy").ok();
}

#[tokio::test]
async fn a_full_disk_is_told_and_leaves_nothing() {
    let (place, db) = (Place::new(), TestDb::postgres().await);
    settings(&place, "settings.toml", &db, "");
    Standalone::start(&place, "").await.stop().await;
    place.sealpost("backup --to whole --data-dir data").ok();
    place.sealpost("migrate --config settings.toml").ok();

    for command in [
        "backup --to copy --data-dir data",
        "backup --to copy --config settings.toml",
        "restore --from whole --data-dir again",
    ] {
        let ended = place.sealpost_within(60, command);

        assert_eq!(ended.code, Some(1), "{command}: {ended:?}");
        let last = ended.stderr.lines().last().unwrap_or_default().to_owned();
        let told = ["full", "too large", "I/O error"].iter().any(|word| last.contains(word));
        assert!(last.starts_with("error: ") && told, "{command}: {last}");
        assert_eq!(unfinished(&place), 0, "{command}");
    }
    assert!(!place.path("copy").exists() && !place.path("again").exists());
}
