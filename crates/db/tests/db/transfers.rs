//! Rows that move from one backend to the other.

use std::collections::BTreeMap;
use std::time::Duration;

use db::{Session, TransferError};
use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Binary, Bool, Integer, Nullable};
use testkit::database::TestDb;
use tokio::time::timeout;

use super::*;

static THINGS: Migrations = Migrations::new(
    embed_migrations!("tests/transferred/postgres"),
    embed_migrations!("tests/transferred/sqlite"),
);

/// A row of `a_things`.
#[derive(Debug, PartialEq, QueryableByName)]
struct Thing {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = diesel::sql_types::Text)]
    owner: String,
    #[diesel(sql_type = Nullable<Bool>)]
    flag: Option<bool>,
    #[diesel(sql_type = Nullable<Integer>)]
    small: Option<i32>,
    #[diesel(sql_type = Nullable<BigInt>)]
    large: Option<i64>,
    #[diesel(sql_type = Nullable<diesel::sql_types::Text>)]
    words: Option<String>,
    #[diesel(sql_type = Nullable<Binary>)]
    content: Option<Vec<u8>>,
}

/// The extremes of each type, nothing at all, and a row at the end that is gone.
const SOME: &str = "INSERT INTO owners VALUES ('o'), ('Ö');
    INSERT INTO a_things (id, owner, flag, small, large, words, content) VALUES
        (1, 'o', 1, -2147483648, -9223372036854775808, 'it''s ü 🦭', x'00ff'),
        (2, 'o', 0, 2147483647, 9223372036854775807, '', x''),
        (7, 'Ö', NULL, NULL, NULL, NULL, NULL),
        (9, 'o', NULL, NULL, NULL, NULL, NULL);
    DELETE FROM a_things WHERE id = 9";

async fn with_tables(test: &TestDb) -> Db {
    let db = test.open();
    db.migrate(&THINGS).await.unwrap();
    db
}

/// A SQLite file with these rows, and an empty PostgreSQL.
async fn both(rows: &'static str) -> (TestDb, Db, TestDb, Db) {
    let (sqlite, postgres) = (TestDb::sqlite().await, TestDb::postgres().await);
    let (from, to) = (with_tables(&sqlite).await, with_tables(&postgres).await);
    run(&from, rows).await;
    (sqlite, from, postgres, to)
}

async fn run(db: &Db, sql: &'static str) {
    db.write(move |conn| Ok::<_, DbError>(db::on_backend!(conn, |c| c.batch_execute(sql))?)).await.unwrap();
}

async fn things(db: &Db) -> Vec<Thing> {
    let query = diesel::sql_query("SELECT * FROM a_things ORDER BY id");
    db.read(move |conn| Ok::<_, DbError>(query.load(conn)?)).await.unwrap()
}

async fn moved(from: &Db, to: &Db) -> Result<BTreeMap<String, i64>, TransferError> {
    moved_while(from, to, |_| true).await
}

async fn moved_while(
    from: &Db,
    to: &Db,
    mut watch: impl FnMut(u64) -> bool + Send + 'static,
) -> Result<BTreeMap<String, i64>, TransferError> {
    let (from, to) = (from.clone(), to.clone());
    let moving = tokio::task::spawn_blocking(move || {
        let (mut from, mut to) = (Session::open(&from)?, Session::open(&to)?);
        to.write(|to| from.read(|from| db::transfer(from, to, "test", &mut watch)))
    });
    moving.await.unwrap()
}

#[tokio::test]
async fn every_value_arrives_as_it_was_and_comes_back() {
    let (_sqlite, from, _postgres, to) = both(SOME).await;
    let other = TestDb::sqlite().await;
    let back = with_tables(&other).await;

    let counts = moved(&from, &to).await.unwrap();
    let counts_back = moved(&to, &back).await.unwrap();

    assert_eq!(counts, BTreeMap::from([("a_things".to_owned(), 3), ("owners".to_owned(), 2)]));
    assert_eq!(counts_back, counts);
    let expected = things(&from).await;
    assert_eq!(expected[0].words.as_deref(), Some("it's ü 🦭"));
    assert_eq!(things(&to).await, expected);
    assert_eq!(things(&back).await, expected);
    for db in [&to, &back] {
        run(db, "INSERT INTO a_things (owner) VALUES ('o')").await;
        assert_eq!(
            things(db).await.last().unwrap().id,
            10,
            "no id is given twice, not that of a row that is gone"
        );
    }
}

#[tokio::test]
async fn tables_larger_than_a_batch_arrive_and_are_told_of() {
    const MANY: &str = "INSERT INTO owners VALUES ('o');
        INSERT INTO a_things (owner, large, content)
            WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5500)
            SELECT 'o', n, randomblob(1500) FROM n";
    let (_sqlite, from, _postgres, to) = both(MANY).await;
    let (told, heard) = std::sync::mpsc::channel();

    let counts = moved_while(&from, &to, move |rows| told.send(rows).is_ok()).await.unwrap();

    assert_eq!(counts["a_things"], 5500);
    assert_eq!(heard.iter().sum::<u64>(), 5501);
    assert_eq!(things(&to).await, things(&from).await);
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_named_by_its_place_and_nothing_is_kept() {
    for (value, problem) in [
        ("flag) VALUES (7, 'o', 2)", "a_things, row 7: flag is neither true nor false"),
        ("small) VALUES (7, 'o', 3000000000)", "a_things, row 7: small does not fit into 32 bits"),
        ("large) VALUES (7, 'o', 1.5)", "a_things, row 7: large is a fraction"),
        ("words) VALUES (7, 'o', 'secret' || char(0))", "a_things, row 7: words holds a NUL"),
        ("words) VALUES (7, 'o', CAST(x'ff' AS TEXT))", "a_things, row 7: words is not UTF-8"),
        ("content) VALUES (7, 'o', 'secret')", "a_things, row 7: content is no byte string"),
    ] {
        let (_sqlite, from, _postgres, to) = both("INSERT INTO owners VALUES ('o')").await;
        let sql: &'static str = format!("INSERT INTO a_things (id, owner, {value}").leak();
        run(&from, sql).await;

        let error = moved(&from, &to).await.unwrap_err();

        assert_eq!(error.to_string(), problem);
        // `owners` came first, and went with the rest.
        moved(&with_tables(&TestDb::sqlite().await).await, &to).await.unwrap();
    }
}

#[tokio::test]
async fn a_target_with_rows_is_left_as_it_is() {
    let (_sqlite, from, _postgres, to) = both(SOME).await;
    run(&to, "INSERT INTO owners VALUES ('somebody')").await;

    let error = moved(&from, &to).await.unwrap_err();

    assert_eq!(error.to_string(), "the target is not empty: the table owners has rows");
    assert!(things(&to).await.is_empty());
}

#[tokio::test]
async fn a_target_that_somebody_works_on_is_left_alone() {
    let (_sqlite, from, _postgres, to) = both(SOME).await;
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (end, ending) = std::sync::mpsc::channel::<()>();
    let service = to.clone();
    let working = tokio::spawn(async move {
        let work = move |conn: &mut DbConn| {
            let insert = "INSERT INTO owners VALUES ('of a service')";
            db::on_backend!(conn, |c| c.batch_execute(insert))?;
            begun.send(()).unwrap();
            let _ = ending.recv();
            Ok::<_, DbError>(())
        };
        service.write(work).await
    });
    has_begun.await.unwrap();

    let error = moved(&from, &to).await.unwrap_err();

    assert!(matches!(error, TransferError::InUse), "{error}");
    drop(end);
    working.await.unwrap().unwrap();
}

#[tokio::test]
async fn tables_that_are_not_the_same_are_told() {
    for (change, expected) in [
        ("DROP TABLE a_things", "the table a_things is missing in SQLite"),
        ("CREATE TABLE more (x TEXT)", "the table more is missing in PostgreSQL"),
        (
            "ALTER TABLE owners ADD COLUMN x TEXT",
            "the table owners has other columns in PostgreSQL than in SQLite",
        ),
        (
            "ALTER TABLE owners ADD COLUMN x REAL",
            "the table owners has other columns in PostgreSQL than in SQLite",
        ),
    ] {
        let (_sqlite, from, _postgres, to) = both(change).await;

        let error = moved(&from, &to).await.unwrap_err();

        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn a_damaged_file_is_told_before_a_row_moves() {
    const MANY: &str = "INSERT INTO owners
        WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2000)
        SELECT 'an owner with a long name ' || n FROM n";
    let (test, _from, _postgres, to) = both(MANY).await;
    let whole = tempfile::tempdir().unwrap();
    let path = whole.path().join("copy.sqlite");
    db::snapshot(test.settings().url.trim_start_matches("sqlite:").as_ref(), &path).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let damaged = Db::new(&db::DbSettings::new(format!("sqlite:{}", path.display())), "test").unwrap();

    let error = moved(&damaged, &to).await.unwrap_err();

    // Too damaged for the check itself, or found by it.
    assert!(["malformed", "damaged"].iter().any(|word| error.to_string().contains(word)), "{error}");
}

#[tokio::test]
async fn a_transfer_that_is_not_wanted_any_more_ends_and_leaves_nothing() {
    let (_sqlite, from, _postgres, to) = both(SOME).await;

    let error = moved_while(&from, &to, |_| false).await.unwrap_err();

    assert!(matches!(error, TransferError::Stopped), "{error}");
    assert_eq!(moved(&from, &to).await.unwrap()["a_things"], 3);
}

#[tokio::test]
async fn no_migration_runs_while_somebody_holds_them_off() {
    let test = TestDb::postgres().await;
    let db = test.open();
    let held = db.clone();
    let open = move || {
        let mut session = Session::open(&held)?;
        session.hold_migrations([&held])?;
        Ok::<_, DbError>(session)
    };
    let (one, other) = (tokio::task::spawn_blocking(open.clone()), tokio::task::spawn_blocking(open));
    let sessions = (one.await.unwrap().unwrap(), other.await.unwrap().unwrap());
    let migrating = tokio::spawn({
        let db = db.clone();
        async move { db.migrate(&THINGS).await.unwrap().len() }
    });
    let mut migrating = std::pin::pin!(migrating);

    assert!(timeout(Duration::from_millis(300), migrating.as_mut()).await.is_err());
    drop(sessions);

    assert_eq!(migrating.await.unwrap(), 1);
}

#[tokio::test]
async fn a_file_that_is_filled_is_one_file_without_a_journal() {
    let (_sqlite, from, _postgres, to) = both(SOME).await;
    moved(&from, &to).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("filled.sqlite");
    let file = Db::new(&db::DbSettings::new(format!("sqlite:{}", path.display())), "test").unwrap();
    file.migrate(&THINGS).await.unwrap();

    let filling = tokio::task::spawn_blocking({
        let path = path.clone();
        move || {
            let fill =
                |pg: &mut DbConn| db::fill(&path, |sqlite| db::transfer(pg, sqlite, "test", &mut |_| true));
            Session::open(&to).unwrap().read(fill)
        }
    });

    assert_eq!(filling.await.unwrap().unwrap()["a_things"], 3);
    let inspected = db::inspect(&path).unwrap();
    assert_eq!((inspected.rows["a_things"], inspected.migrations), (3, vec!["20260101000000".to_owned()]));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
