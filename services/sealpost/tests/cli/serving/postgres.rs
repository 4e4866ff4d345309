//! Looks into a PostgreSQL that a standalone uses, and gets into its way.

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use testkit::database::TestDb;
use testkit::wait::wait_until;

/// What a number says that a query gives.
pub(super) fn number(db: &TestDb, query: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Number {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    let mut conn = PgConnection::establish(&db.settings().url).expect("a connection");
    diesel::sql_query(query).get_result::<Number>(&mut conn).expect("a number").number
}

/// All rows of all services.
pub(super) fn rows(db: &TestDb) -> i64 {
    let count = "(xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM %I.%I', \
                 schemaname, tablename), false, true, '')))[1]::text::bigint";
    number(
        db,
        &format!(
            "SELECT coalesce(sum({count}), 0)::bigint AS number FROM pg_tables \
             WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND tablename NOT LIKE '\\_\\_%'"
        ),
    )
}

/// Keeps everybody from auth's accounts, whose turn is last, until it is dropped.
pub(super) struct Blocked(PgConnection);

impl Blocked {
    pub(super) fn new(db: &TestDb) -> Self {
        let mut conn = PgConnection::establish(&db.settings().url).expect("a connection");
        conn.batch_execute("BEGIN; LOCK TABLE auth.accounts IN ACCESS EXCLUSIVE MODE").expect("a lock");
        Self(conn)
    }

    /// Waits until somebody stands before it.
    pub(super) async fn somebody_waits(&self, db: &TestDb) {
        let waiting = "SELECT count(*) AS number FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                       WHERE NOT l.granted AND d.datname = current_database()";
        wait_until("somebody to wait", || async { number(db, waiting) > 0 }).await;
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // The connection ends anyhow.
        let _ = self.0.batch_execute("ROLLBACK");
    }
}
