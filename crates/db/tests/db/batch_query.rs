//! Statements over arrays: what they find, and that PostgreSQL prepares each once.

use db::{BatchQuery, BatchSql, Rows};
use diesel::sql_types::{BigInt, Text};
use testkit::database::TestDb;

use super::*;

enum Add {}

impl BatchSql for Add {
    const SQL: &'static str = "INSERT INTO counters ({r.*}) SELECT name, n * {factor} FROM {r} \
        ON CONFLICT DO NOTHING RETURNING {counter}";
    type Row = (Text, BigInt);
}

#[derive(Queryable, Selectable, Debug, PartialEq)]
#[diesel(table_name = counters)]
struct Counter {
    name: String,
    n: i64,
}

fn add(conn: &mut DbConn, counts: &[(&str, i64)], factor: i64) -> QueryResult<Vec<Counter>> {
    let rows =
        Rows::of(counts).column::<Text, _>("name", |(name, _)| *name).column::<BigInt, _>("n", |(_, n)| *n);
    let add = BatchQuery::<Add>::new().rows("r", rows).value::<BigInt, _>("factor", factor);
    add.columns_of::<Counter>("counter").load(postgres(conn))
}

fn counter(name: &str, n: i64) -> Counter {
    Counter { name: name.into(), n }
}

fn postgres(conn: &mut DbConn) -> &mut PgConnection {
    match conn {
        DbConn::Pg(conn) => conn,
        DbConn::Sqlite(_) => panic!("arrays are PostgreSQL's"),
    }
}

/// Runs `work` on one connection to a fresh database with the table `counters`.
async fn on_postgres<T: Send + 'static>(work: impl FnOnce(&mut DbConn) -> T + Send + 'static) -> T {
    let test = TestDb::postgres().await;
    let db = migrated(&test).await;
    db.write(|conn| Ok::<_, DbError>(work(conn))).await.unwrap()
}

#[tokio::test]
async fn rows_values_and_columns_take_the_places_of_their_names() {
    let (first, second, none) = on_postgres(|conn| {
        (
            add(conn, &[("a", 1), ("b", 2)], 10).unwrap(),
            add(conn, &[("b", 3), ("c", 3)], 100).unwrap(),
            add(conn, &[], 1).unwrap(),
        )
    })
    .await;

    assert_eq!(first, [counter("a", 10), counter("b", 20)]);
    assert_eq!(second, [counter("c", 300)]);
    assert!(none.is_empty());
}

#[tokio::test]
async fn a_statement_is_prepared_once_whatever_the_number_of_rows() {
    let prepared: i64 = on_postgres(|conn| {
        for rows in [&[("a", 1)][..], &[("b", 1), ("c", 1)], &[("d", 1), ("e", 1), ("f", 1)]] {
            add(conn, rows, 1).unwrap();
        }
        let count =
            "(SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'INSERT INTO counters%')";
        diesel::select(diesel::dsl::sql::<BigInt>(count)).get_result(conn).unwrap()
    })
    .await;

    assert_eq!(prepared, 1);
}

#[tokio::test]
async fn a_name_that_was_not_given_is_an_error_that_names_it() {
    let refused = on_postgres(|conn| {
        let rows = Rows::of(&["a"]).column::<Text, _>("name", |name| *name);
        BatchQuery::<Add>::new().rows("r", rows).execute(postgres(conn)).unwrap_err()
    })
    .await;

    assert!(refused.to_string().contains("{factor}"), "{refused}");
}
