//! Copies of SQLite files that are in use.

use testkit::database::TestDb;

use super::*;

#[tokio::test]
async fn a_copy_holds_what_was_committed_and_nothing_that_is_not() {
    let (test, folder) = (TestDb::sqlite().await, tempfile::tempdir().unwrap());
    let db = migrated(&test).await;
    db.write(|conn| insert(conn, "before", 1)).await.unwrap();
    let from = test.settings().url.trim_start_matches("sqlite:").to_owned();
    let to = folder.path().join("a copy?#%.sqlite");

    let copied = db
        .write({
            let to = to.clone();
            move |conn| {
                insert(conn, "not committed", 2)?;
                db::snapshot(from.as_ref(), &to)
            }
        })
        .await;

    copied.unwrap();
    assert_eq!(count(&db).await, 2);
    assert_eq!(db::inspect(&to).unwrap().rows["counters"], 1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no journal beside it");
}

#[tokio::test]
async fn neither_a_missing_source_nor_a_file_in_the_way_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let (missing, taken) = (folder.path().join("missing"), folder.path().join("taken"));
    std::fs::write(&taken, "something else").unwrap();
    let test = TestDb::sqlite().await;
    migrated(&test).await;
    let there = test.settings().url.trim_start_matches("sqlite:").to_owned();

    assert!(matches!(db::snapshot(&missing, &folder.path().join("x")), Err(DbError::Unavailable(_))));
    assert!(db::snapshot(there.as_ref(), &taken).is_err());

    assert!(!missing.exists());
    assert_eq!(std::fs::read_to_string(&taken).unwrap(), "something else");
}

#[tokio::test]
async fn a_damaged_copy_is_told() {
    let (test, folder) = (TestDb::sqlite().await, tempfile::tempdir().unwrap());
    let db = migrated(&test).await;
    db.write(|conn| (0..500).try_for_each(|n| insert(conn, &format!("a name that takes room {n}"), n)))
        .await
        .unwrap();
    let to = folder.path().join("copy");
    db::snapshot(test.settings().url.trim_start_matches("sqlite:").as_ref(), &to).unwrap();
    let mut bytes = std::fs::read(&to).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 2048].fill(0x5a);
    std::fs::write(&to, bytes).unwrap();

    assert!(db::inspect(&to).is_err());
}
