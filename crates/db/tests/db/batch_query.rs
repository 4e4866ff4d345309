//! Statements over arrays: what they find, and that PostgreSQL prepares each once.

use db::{BatchQuery, BatchSql, Rows};
use diesel::sql_types::{BigInt, Binary, Bool, Integer, Nullable, Text};
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

enum Echo {}

impl BatchSql for Echo {
    const SQL: &'static str = "SELECT {r.*} FROM {r} ORDER BY place";
    type Row = (Integer, Bool, BigInt, Text, Binary, Nullable<Text>, Nullable<BigInt>);
}

type Echoed = (i32, bool, i64, String, Vec<u8>, Option<String>, Option<i64>);

#[tokio::test]
async fn values_of_every_type_come_back_as_they_went_in() {
    let row = |place, text: &str, optional: Option<&str>, number| {
        let octets = text.as_bytes().iter().rev().copied().collect();
        let long = i64::from(place) - (1 << 40);
        (place, place % 2 == 0, long, text.to_owned(), octets, optional.map(str::to_owned), number)
    };
    let long = "x".repeat(5_000);
    let sent: Vec<Echoed> = vec![
        row(0, "", None, Some(i64::MIN)),
        row(1, "é{}\"\\NULL", Some("NULL"), None),
        row(2, &long, Some(""), Some(i64::MAX)),
    ];

    let expected = sent.clone();
    let echoed: Vec<Echoed> = on_postgres(move |conn| {
        let rows = Rows::of(&sent)
            .numbered("place")
            .column::<Bool, _>("flag", |row| row.1)
            .column::<BigInt, _>("long", |row| row.2)
            .column::<Text, _>("words", |row| row.3.as_str())
            .column::<Binary, _>("octets", |row| row.4.as_slice())
            .column::<Nullable<Text>, _>("more", |row| row.5.as_deref())
            .column::<Nullable<BigInt>, _>("number", |row| row.6);
        BatchQuery::<Echo>::new().rows("r", rows).load(postgres(conn)).unwrap()
    })
    .await;

    assert_eq!(echoed, expected);
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
