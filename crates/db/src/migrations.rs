//! Brings the tables of one service to the state its binary was written for.

use std::error::Error;

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};

use crate::{Backend, Db, DbConn, DbError, on_backend};

/// The embedded migrations of one service, the same list of names for both backends.
///
/// ```ignore
/// use db::diesel_migrations::{self, embed_migrations};
/// const MIGRATIONS: db::Migrations =
///     db::Migrations::new(embed_migrations!("migrations/postgres"), embed_migrations!("migrations/sqlite"));
/// ```
pub struct Migrations {
    postgres: EmbeddedMigrations,
    sqlite: EmbeddedMigrations,
}

impl Migrations {
    /// Joins the two sets.
    pub const fn new(postgres: EmbeddedMigrations, sqlite: EmbeddedMigrations) -> Self {
        Self { postgres, sqlite }
    }
}

impl Db {
    /// Applies what is pending, in order, and returns the versions it applied. On PostgreSQL the schema is
    /// made when missing, and processes that migrate at once wait for each other. On SQLite all of it is one
    /// transaction. Which versions are there is kept per schema or file.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] without a connection; [`DbError::Other`] names the migration that failed: its
    /// statements were rolled back, on PostgreSQL those before it stay.
    pub async fn migrate(&self, migrations: &'static Migrations) -> Result<Vec<String>, DbError> {
        self.migrating(|conn, schema| match conn {
            DbConn::Pg(c) => {
                prepare_postgres(c, schema)?;
                versions(c.run_pending_migrations(Borrowed(&migrations.postgres)))
            }
            DbConn::Sqlite(c) => {
                immediate(c, |c| versions(c.run_pending_migrations(Borrowed(&migrations.sqlite))))
            }
        })
        .await
    }

    /// Lists the versions that [`Db::migrate`] would apply.
    ///
    /// # Errors
    /// As [`Db::migrate`].
    pub async fn pending(&self, migrations: &'static Migrations) -> Result<Vec<String>, DbError> {
        self.migrating(|conn, schema| match conn {
            DbConn::Pg(c) => {
                prepare_postgres(c, schema)?;
                names(c.pending_migrations(Borrowed(&migrations.postgres)))
            }
            DbConn::Sqlite(c) => names(c.pending_migrations(Borrowed(&migrations.sqlite))),
        })
        .await
    }

    /// Lists the versions that the database has and this binary does not know: a newer one has migrated it. Changes
    /// nothing; a database without a table of migrations has none.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn unknown(&self, migrations: &'static Migrations) -> Result<Vec<String>, DbError> {
        let mut applied = self.applied().await?;
        let known = match self.backend() {
            Backend::Postgres => known::<Pg>(&migrations.postgres)?,
            Backend::Sqlite => known::<Sqlite>(&migrations.sqlite)?,
        };
        applied.retain(|version| !known.contains(version));
        Ok(applied)
    }

    /// Lists the versions that [`Db::migrate`] would apply, as [`Db::pending`] does, but changes nothing: it makes
    /// neither the schema nor the table of migrations, and waits for no process that migrates.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn missing(&self, migrations: &'static Migrations) -> Result<Vec<String>, DbError> {
        let applied = self.applied().await?;
        let mut known = match self.backend() {
            Backend::Postgres => known::<Pg>(&migrations.postgres)?,
            Backend::Sqlite => known::<Sqlite>(&migrations.sqlite)?,
        };
        known.retain(|version| !applied.contains(version));
        Ok(known)
    }

    /// The versions that are applied, by the table that diesel keeps of them.
    async fn applied(&self) -> Result<Vec<String>, DbError> {
        self.read(|conn| {
            let there = match conn {
                DbConn::Pg(c) => {
                    let there = "to_regclass(current_schema() || '.__diesel_schema_migrations') IS NOT NULL";
                    diesel::select(sql::<Bool>(there)).get_result::<bool>(c)?
                }
                DbConn::Sqlite(c) => {
                    let there =
                        "EXISTS (SELECT 1 FROM sqlite_master WHERE name = '__diesel_schema_migrations')";
                    diesel::select(sql::<Bool>(there)).get_result::<bool>(c)?
                }
            };
            if !there {
                return Ok(Vec::new());
            }
            applied(conn)
        })
        .await
    }

    /// Reverts every applied migration, newest first: all tables of the service are gone afterwards. For
    /// tests of the `down` half.
    ///
    /// # Errors
    /// As [`Db::migrate`].
    pub async fn revert_all(&self, migrations: &'static Migrations) -> Result<Vec<String>, DbError> {
        self.migrating(|conn, schema| match conn {
            DbConn::Pg(c) => {
                prepare_postgres(c, schema)?;
                versions(c.revert_all_migrations(Borrowed(&migrations.postgres)))
            }
            DbConn::Sqlite(c) => {
                immediate(c, |c| versions(c.revert_all_migrations(Borrowed(&migrations.sqlite))))
            }
        })
        .await
    }

    /// Migrations run on a connection of their own: it ends with them, and so does the advisory lock.
    async fn migrating<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut DbConn, &str) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, DbError> {
        let db = self.clone();
        tokio::task::spawn_blocking(move || {
            let _writer = db.blocking_writer();
            let mut conn = db.connector().open()?;
            work(&mut conn, db.schema())
        })
        .await
        .unwrap_or_else(|error| Err(DbError::other(error)))
    }
}

/// The table that diesel keeps of applied migrations.
pub(crate) const MIGRATIONS_TABLE: &str = "__diesel_schema_migrations";

/// Reads it, where it is there; sorted.
pub(crate) fn applied(conn: &mut DbConn) -> Result<Vec<String>, DbError> {
    let versions = __diesel_schema_migrations::table.select(__diesel_schema_migrations::version);
    let mut versions: Vec<String> = on_backend!(conn, |c| versions.load(c))?;
    versions.sort_unstable();
    Ok(versions)
}

/// `CREATE SCHEMA IF NOT EXISTS` needs the right to create even when there is nothing to create, hence the
/// question first: an operator may have made the schema for a role that may not.
fn prepare_postgres(conn: &mut PgConnection, schema: &str) -> Result<(), DbError> {
    Ok(conn.batch_execute(&format!(
        "SELECT pg_advisory_lock({});
         DO $$ BEGIN
             IF to_regnamespace('{schema}') IS NULL THEN CREATE SCHEMA {schema}; END IF;
         END $$",
        turn(schema)
    ))?)
}

/// What stands for the right to change the tables of a schema.
fn turn(schema: &str) -> String {
    format!("hashtextextended('sealpost.migrate.{schema}', 0)")
}

/// The statement after which nobody migrates a schema as long as the session lives; any number of sessions may want that.
pub(crate) fn hold(schema: &str) -> String {
    format!("SELECT pg_advisory_lock_shared({})", turn(schema))
}

fn immediate<T>(
    conn: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, DbError>,
) -> Result<T, DbError> {
    let mut failed = None;
    let done = conn.immediate_transaction(|conn| {
        work(conn).map_err(|error| {
            failed = Some(error);
            diesel::result::Error::RollbackTransaction
        })
    });
    done.map_err(|error| failed.unwrap_or_else(|| error.into()))
}

diesel::table! {
    __diesel_schema_migrations (version) {
        version -> Text,
    }
}

fn known<DB: diesel::backend::Backend>(
    migrations: &'static EmbeddedMigrations,
) -> Result<Vec<String>, DbError>
where
    EmbeddedMigrations: MigrationSource<DB>,
{
    let mut known = names::<DB>(migrations.migrations())?;
    known.sort_unstable();
    Ok(known)
}

type MigrationResult<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn versions(applied: MigrationResult<Vec<MigrationVersion<'_>>>) -> Result<Vec<String>, DbError> {
    Ok(applied.map_err(DbError::other)?.iter().map(ToString::to_string).collect())
}

fn names<DB: diesel::backend::Backend>(
    pending: MigrationResult<Vec<Box<dyn Migration<DB>>>>,
) -> Result<Vec<String>, DbError> {
    Ok(pending.map_err(DbError::other)?.iter().map(|m| m.name().version().to_string()).collect())
}

/// diesel takes sources by value, and ours live as long as the program.
struct Borrowed(&'static EmbeddedMigrations);

impl MigrationSource<Pg> for Borrowed {
    fn migrations(&self) -> diesel::migration::Result<Vec<Box<dyn Migration<Pg>>>> {
        self.0.migrations()
    }
}

impl MigrationSource<Sqlite> for Borrowed {
    fn migrations(&self) -> diesel::migration::Result<Vec<Box<dyn Migration<Sqlite>>>> {
        self.0.migrations()
    }
}
