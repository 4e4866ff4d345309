//! Databases for one test: fresh, of either backend, gone afterwards.
//!
//! [`on_both!`](crate::on_both) writes one test body and runs it on SQLite and on PostgreSQL. A missing PostgreSQL is
//! a failure, never a skip.

use std::collections::BTreeMap;
use std::time::Duration;

use bus::{Record, outbox};
use common::models::UnixMillis;
use db::{Backend, Db, DbConn, DbError, DbSettings, Migrations};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use tempfile::TempDir;

use crate::{postgres, process};

/// A fresh database: a file in a temporary folder, or a database of its own on the shared PostgreSQL. Removed on drop.
#[derive(Debug)]
pub struct TestDb {
    settings: DbSettings,
    home: Home,
}

#[derive(Debug)]
enum Home {
    /// Only kept: the folder goes with it.
    File {
        _folder: TempDir,
    },
    Server {
        url: String,
        name: String,
    },
}

impl TestDb {
    /// Makes a SQLite file's path; the first connection makes the file.
    ///
    /// # Panics
    /// When the temporary folder cannot be made.
    pub async fn sqlite() -> Self {
        let folder = process::scratch("sqlite").expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("test.sqlite").display());
        Self { settings: settings(url), home: Home::File { _folder: folder } }
    }

    /// Makes a database on the run's shared server.
    ///
    /// # Panics
    /// When there is no server, or it refuses.
    pub async fn postgres() -> Self {
        Self::on_server(postgres::url().await)
    }

    /// Makes a database on the server at `url`, which names another database of it.
    ///
    /// # Panics
    /// When the server cannot be reached, or refuses.
    pub fn on_server(url: &str) -> Self {
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        administer(url, &format!("CREATE DATABASE {name} TEMPLATE template0")).expect("a new database");
        let mut own = url::Url::parse(url).expect("the URL of the shared PostgreSQL");
        own.set_path(&name);
        Self { settings: settings(own), home: Home::Server { url: url.to_owned(), name } }
    }

    /// Makes a database of that kind.
    ///
    /// # Panics
    /// As [`TestDb::sqlite`] and [`TestDb::postgres`].
    pub async fn new(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::sqlite().await,
            Backend::Postgres => Self::postgres().await,
        }
    }

    /// Settings that lead to it, for a whole service.
    #[must_use]
    pub fn settings(&self) -> &DbSettings {
        &self.settings
    }

    /// Opens a pool of its own on the schema `test`, which exists afterwards.
    ///
    /// # Panics
    /// When the schema cannot be made.
    #[must_use]
    pub fn open(&self) -> Db {
        if let Home::Server { .. } = self.home {
            administer(&self.settings.url, "CREATE SCHEMA IF NOT EXISTS test").expect("the schema test");
        }
        Db::new(&self.settings, "test").expect("settings of a test database")
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        if let Home::Server { url, name } = &self.home {
            // Fails when the test has ended the server itself: then there is nothing left to remove.
            let _ = administer(url, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

/// A crowd waits its turn, however slow the disk is.
fn settings(url: impl Into<String>) -> DbSettings {
    DbSettings { checkout_timeout: Duration::from_secs(15), ..DbSettings::new(url) }
}

/// Runs statements on the PostgreSQL at `url`, beside every pool.
///
/// # Errors
/// [`DbError`] when the server cannot be reached or refuses a statement.
pub fn administer(url: &str, sql: &str) -> Result<(), DbError> {
    let mut conn = PgConnection::establish(url).map_err(|error| DbError::Settings(error.to_string()))?;
    Ok(conn.batch_execute(sql)?)
}

/// The tables of a service and their columns, sorted; without the table of applied migrations.
///
/// # Errors
/// [`DbError`] of the query.
pub async fn columns(db: &Db) -> Result<BTreeMap<String, Vec<String>>, DbError> {
    #[derive(QueryableByName)]
    struct Column {
        #[diesel(sql_type = Text)]
        table_name: String,
        #[diesel(sql_type = Text)]
        column_name: String,
    }
    let found: Vec<Column> = db
        .read(|conn| {
            let sql = match conn {
                DbConn::Pg(_) => {
                    "SELECT table_name::text, column_name::text FROM information_schema.columns
                     WHERE table_schema = current_schema()"
                }
                DbConn::Sqlite(_) => {
                    "SELECT t.name AS table_name, c.name AS column_name
                     FROM sqlite_master t, pragma_table_info(t.name) c
                     WHERE t.type IN ('table', 'view') AND t.name NOT LIKE 'sqlite_%'"
                }
            };
            Ok::<_, DbError>(diesel::sql_query(sql).load(conn)?)
        })
        .await?;
    let mut tables = BTreeMap::<String, Vec<String>>::new();
    for Column { table_name, column_name } in found {
        if table_name != "__diesel_schema_migrations" {
            tables.entry(table_name).or_default().push(column_name);
        }
    }
    tables.values_mut().for_each(|columns| columns.sort());
    Ok(tables)
}

/// Checks a service's migrations: up, down and up again on both backends, nothing left by `down`, the same tables and
/// columns on both, and a table `outbox` (if there is one) that the bus can use.
///
/// # Panics
/// When one of these does not hold.
pub async fn check_migrations(migrations: &'static Migrations) {
    let mut made = Vec::new();
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let test = TestDb::new(backend).await;
        let db = test.open();
        let up = db.migrate(migrations).await.expect("up");
        let tables = columns(&db).await.expect("the tables");
        assert!(!up.is_empty() && !tables.is_empty(), "{backend:?}: nothing to migrate");
        if tables.contains_key("outbox") {
            let pushed = db.write(|conn| {
                outbox::push(conn, &[Record::new("topic", "key", "value")], UnixMillis(0))?;
                outbox::backlog(conn)
            });
            assert_eq!(pushed.await.expect("the shape that bus::outbox documents").pending, 1);
        }
        let down = db.revert_all(migrations).await.expect("down");
        assert_eq!(down.len(), up.len(), "{backend:?}: every migration has a down");
        let left = columns(&db).await.expect("the tables");
        assert!(left.is_empty(), "{backend:?}: down leaves {left:?}");
        assert_eq!(db.migrate(migrations).await.expect("up again"), up);
        assert!(db.pending(migrations).await.expect("the list").is_empty());
        made.push((up, tables));
    }
    assert_eq!(made[0], made[1], "SQLite (left) and PostgreSQL (right) differ");
}

/// Writes one test for both backends: a module of the given name with the tests `sqlite` and `postgres`, each with a
/// fresh [`TestDb`](crate::database::TestDb), on a runtime with two threads.
///
/// ```ignore
/// testkit::on_both! {
///     async fn rollback_leaves_nothing(test: TestDb) {
///         let db = test.open();
///     }
/// }
/// ```
#[macro_export]
macro_rules! on_both {
    ($(async fn $name:ident($test:ident: TestDb) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports, reason = "a short body may need nothing from outside")]
            use super::*;

            #[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
            async fn body($test: $crate::database::TestDb) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                body($crate::database::TestDb::sqlite().await).await
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                body($crate::database::TestDb::postgres().await).await
            }
        }
    )+};
}
