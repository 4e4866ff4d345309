//! Every table of every service, there and back.

use std::collections::BTreeMap;
use std::path::PathBuf;

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::Text;
use tempfile::TempDir;
use testkit::database::TestDb;

use super::*;

/// The SQLite files of all services, as a standalone has them.
struct Files(TempDir);

impl Files {
    async fn made() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for service in services::all() {
            let db = service.database(&DatabaseSection::default(), Some(folder.0.path())).unwrap();
            db.migrate(service.migrations.unwrap()).await.unwrap();
        }
        folder
    }

    /// Those with two rows in every table that the catalog has, whatever its columns are.
    async fn filled() -> Self {
        let files = Self::made().await;
        for service in services::all() {
            let file = files.0.path().join(service.file());
            let mut conn = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
            // Some refer to tables whose turn is later.
            conn.batch_execute("PRAGMA foreign_keys = OFF").unwrap();
            for Insert { sql } in diesel::sql_query(INSERTS).load(&mut conn).unwrap() {
                conn.batch_execute(&sql).unwrap_or_else(|error| panic!("{}: {sql}: {error}", service.name));
            }
        }
        files
    }

    fn run(&self, service: &str, sql: &str) {
        let file = self.file(service);
        SqliteConnection::establish(file.to_str().unwrap()).unwrap().batch_execute(sql).unwrap();
    }

    fn file(&self, service: &str) -> PathBuf {
        self.0.path().join(format!("{service}.sqlite"))
    }

    /// The rows of each table of each service.
    fn rows(&self) -> BTreeMap<String, i64> {
        let mut all = BTreeMap::new();
        for service in services::all() {
            for (table, rows) in db::inspect(&self.0.path().join(service.file())).unwrap().rows {
                all.insert(format!("{}.{table}", service.section()), rows);
            }
        }
        all.retain(|table, _| !table.ends_with(".__diesel_schema_migrations"));
        all
    }
}

/// One that says how to insert a row into a table.
#[derive(QueryableByName)]
struct Insert {
    #[diesel(sql_type = Text)]
    sql: String,
}

/// The n-th row has n in every column, so that it refers to the n-th row of other tables.
const INSERTS: &str = "WITH n (n) AS (VALUES (1), (2)) \
    SELECT 'INSERT INTO \"' || t.name || '\" (' || group_concat('\"' || c.name || '\"') || ') VALUES (' || \
        group_concat(CASE upper(c.type) WHEN 'TEXT' THEN '''x' || n || '''' WHEN 'BLOB' THEN 'x''0' || n || '''' \
            WHEN 'BOOLEAN' THEN n - 1 ELSE n END) || ')' AS sql \
    FROM n, sqlite_master t, pragma_table_info(t.name) c \
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND t.name NOT LIKE '\\_\\_diesel%' ESCAPE '\\' \
    GROUP BY t.name, n ORDER BY t.name, n";

fn to(db: &TestDb) -> DatabaseSection {
    DatabaseSection { url: db.settings().url.clone(), ..DatabaseSection::default() }
}

async fn refusal(files: &Files, db: &TestDb) -> String {
    to_postgres(&to(db), files.0.path(), &Interrupt::default()).await.unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_of_every_service_moves_there_and_back() {
    let (files, db) = (Files::filled().await, TestDb::postgres().await);
    let back = Files(tempfile::tempdir().unwrap());

    let moved = to_postgres(&to(&db), files.0.path(), &Interrupt::default()).await.unwrap();
    from_postgres(&to(&db), back.0.path(), &Interrupt::default()).await.unwrap();

    let rows = files.rows();
    assert!(rows.len() > 60 && rows.values().all(|rows| *rows == 2), "{rows:?}");
    assert_eq!(back.rows(), rows);
    assert_eq!(moved.iter().map(|(_, rows)| rows).sum::<i64>(), rows.values().sum::<i64>());
    assert_eq!(moved.len(), services::all().len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_service_that_cannot_be_moved_keeps_all_others_back() {
    let (files, db) = (Files::filled().await, TestDb::postgres().await);
    // auth's turn is last.
    files.run("auth", "UPDATE accounts SET username = 'a secret' || char(0) WHERE rowid = 2");

    let error = refusal(&files, &db).await;

    assert_eq!(error, "auth: accounts, row 2: username holds a NUL");
    files.run("auth", "UPDATE accounts SET username = 'bob' WHERE rowid = 2");
    to_postgres(&to(&db), files.0.path(), &Interrupt::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_another_version_are_refused() {
    for (change, expected) in [
        (
            "DELETE FROM __diesel_schema_migrations WHERE version = '20261128000003'",
            "has not got migration 20261128000003",
        ),
        (
            "INSERT INTO __diesel_schema_migrations VALUES ('29990101000001', 0)",
            "of a newer version of sealpost",
        ),
    ] {
        let (files, db) = (Files::made().await, TestDb::postgres().await);
        files.run("notify", change);

        let error = refusal(&files, &db).await;

        let file = files.file("notify");
        assert!(error.starts_with(&format!("{}: notify has ", file.display())), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_file_and_a_missing_table_are_named() {
    let (files, db) = (Files::made().await, TestDb::postgres().await);
    files.run("relay", "DROP TABLE seeds");

    let table = refusal(&files, &db).await;
    std::fs::remove_file(files.file("sync")).unwrap();
    let file = refusal(&files, &db).await;

    assert_eq!(table, "relay: the table seeds is missing in SQLite");
    assert_eq!(file, format!("{} is missing", files.file("sync").display()));
    assert!(!files.file("sync").exists(), "nothing was made in its place");
}
