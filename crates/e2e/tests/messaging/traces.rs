//! Where in the tables of services a text stands, in columns of text and of octets.

use db::{Db, DbConn, DbError, DbSettings};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use testkit::program::Program;

/// A service's tables.
pub(crate) type Tables = (&'static str, Db);

/// A column: service, table, column.
pub(crate) type Place = (&'static str, &'static str, &'static str);

/// The tables that a program has of a service, in the database at `url`, or in its own file when that is empty.
pub(crate) fn open(program: &Program, url: &str, service: &'static str) -> Tables {
    let file = || format!("sqlite:{}", program.data_dir().join(format!("{service}.sqlite")).display());
    let url = if url.is_empty() { file() } else { url.to_owned() };
    (service, Db::new(&DbSettings::new(url), service).unwrap())
}

/// Where any of `needles` stands, as `service.table.column`, but for the places in `known`.
pub(crate) async fn traces(tables: &[Tables], needles: &[String], known: &[Place]) -> Vec<String> {
    let mut found = Vec::new();
    for (service, db) in tables {
        for Column { of_table, named, octets } in columns(db).await {
            if known.contains(&(service, &of_table, &named)) {
                continue;
            }
            let place = format!("{service}.{of_table}.{named}");
            for needle in needles {
                if !found.contains(&place) && holds(db, (&of_table, &named, octets), needle).await {
                    found.push(place.clone());
                }
            }
        }
    }
    found
}

/// Runs a statement that counts something as `count`.
pub(crate) async fn count(db: &Db, sql: String, text: String) -> i64 {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let counted = db.read(move |conn| {
        let query = diesel::sql_query(sql).bind::<Text, _>(text);
        let counted: Count = db::on_backend!(conn, |c| query.get_result(c))?;
        Ok::<_, DbError>(counted.count)
    });
    counted.await.unwrap()
}

async fn holds(db: &Db, (table, column, octets): (&str, &str, bool), needle: &str) -> bool {
    let postgres = matches!(db.backend(), db::Backend::Postgres);
    let found = match (postgres, octets) {
        (true, true) => format!("position(convert_to($1, 'UTF8') IN \"{column}\") > 0"),
        (true, false) => format!("position($1 IN \"{column}\") > 0"),
        (false, true) => format!("instr(\"{column}\", CAST($1 AS BLOB)) > 0"),
        (false, false) => format!("instr(\"{column}\", $1) > 0"),
    };
    count(db, format!("SELECT count(*) AS count FROM {table} WHERE {found}"), needle.to_owned()).await > 0
}

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    of_table: String,
    #[diesel(sql_type = Text)]
    named: String,
    #[diesel(sql_type = diesel::sql_types::Bool)]
    octets: bool,
}

/// All columns that can hold a text.
async fn columns(db: &Db) -> Vec<Column> {
    let found = db.read(|conn| {
        let columns: Vec<Column> = match conn {
            DbConn::Pg(conn) => diesel::sql_query(
                "SELECT table_name::text AS of_table, column_name::text AS named, data_type = 'bytea' AS octets
                 FROM information_schema.columns
                 WHERE table_schema = current_schema() AND data_type IN ('text', 'character varying', 'bytea')",
            )
            .load(conn)?,
            DbConn::Sqlite(conn) => diesel::sql_query(
                "SELECT t.name AS of_table, c.name AS named, c.type = 'BLOB' AS octets
                 FROM sqlite_master t, pragma_table_info(t.name) c
                 WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND c.type IN ('TEXT', 'BLOB')",
            )
            .load(conn)?,
        };
        Ok::<_, DbError>(columns)
    });
    found.await.unwrap()
}
