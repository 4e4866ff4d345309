//! Transactions that others run into: what they do then, in an order that is no chance.

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::database::TestDb;
use crate::wait::wait_until;

/// A transaction on PostgreSQL that is open.
pub struct Obstacle {
    holder: PgConnection,
    observer: PgConnection,
}

impl Obstacle {
    /// Carries out `statements` in a transaction that stays open.
    ///
    /// # Panics
    /// When the server cannot be reached, or refuses a statement.
    #[must_use]
    pub fn new(test: &TestDb, statements: &str) -> Self {
        let connect = || PgConnection::establish(&test.settings().url).expect("a connection");
        let (mut holder, observer) = (connect(), connect());
        holder.batch_execute(&format!("BEGIN; {statements}")).expect("the obstacle's statements");
        Self { holder, observer }
    }

    /// Runs `work`, commits as soon as `waiting` transactions wait for a lock, and gives what came of the work.
    ///
    /// # Panics
    /// When fewer come to wait, or the commit is refused.
    pub async fn clear_for<T>(self, waiting: i64, work: impl Future<Output = T>) -> T {
        let Self { mut holder, mut observer } = self;
        let count = sql::<BigInt>(
            "(SELECT count(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock')",
        );
        let clear = async {
            wait_until("transactions to wait for a lock", || {
                let waits: i64 = diesel::select(count.clone()).get_result(&mut observer).expect("a number");
                async move { waits == waiting }
            })
            .await;
            holder.batch_execute("COMMIT").expect("the obstacle's commit");
        };
        tokio::join!(work, clear).0
    }
}
