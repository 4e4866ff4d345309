//! What a service holds of one account, as its operators may ask: in which tables, and all of it.
//!
//! In: the service's list of tables that can have rows of an account ([`Held`]), with the columns that its owner may be
//! given. Out: `GET /internal/<service>/v1/privacy/accounts/{account}/holdings` and `…/rows/{table}`, behind the credential
//! of operators. What must hold: the list names every table, so that an erasure can be seen to be complete; no column of it
//! is a secret.

mod rows;

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web as actix};
use common::models::privacy::{Holding, Holdings, Rows};
use common::models::{AccountId, Problem, ProblemKind, UnixMillis};
use db::{Db, DbConn, DbError, on_backend};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use serde::Deserialize;
use web::{AdminCaller, Failure, Service};

use self::rows::Page;
use crate::operators::{AuditTable, Operator};
use crate::platform::Platform;
use crate::retention::Retention;

pub use self::rows::Column;

/// What a service can tell of an account.
pub trait AccountData: Send + Sync + 'static {
    /// Lists the tables that can have rows of an account.
    fn tables(&self) -> Vec<Held>;

    /// Where it is noted who was given rows of an account; none for a service that operators do nothing in.
    fn log(&self) -> Option<AuditTable> {
        None
    }

    /// What those tables call an account.
    fn name_of(&self, account: AccountId) -> String {
        account.to_string()
    }
}

/// Adds the routes to the internal ones that `service` has by now; `db` is where its tables are.
pub fn tell_of_accounts<D: AccountData>(service: &mut Service, platform: &Platform, db: &Db, data: Arc<D>) {
    let base = format!("/internal/{}/v1/privacy/accounts/{{account}}", service.name);
    let before = Arc::clone(&service.internal);
    let (platform, db, clock) = (platform.clone(), db.clone(), platform.clock.clone());
    service.internal = web::routes(move |config| {
        before(config);
        let (data_again, db_again) = (Arc::clone(&data), db.clone());
        let (data, platform, db) = (Arc::clone(&data), platform.clone(), db.clone());
        let holdings = move |_: AdminCaller, account: actix::Path<AccountId>| {
            let (tables, name) = (data.tables(), data.name_of(*account));
            let (now, published) = (platform.clock.now(), platform.settings.bus.outbox_retention);
            let db = db.clone();
            async move {
                let counting = db.read(move |conn| count(conn, &tables, &name, (now, published)));
                Ok::<_, Failure>(private().json(counting.await?))
            }
        };
        config.route(&format!("{base}/holdings"), actix::get().to(holdings));

        let (data, db, clock) = (Arc::clone(&data_again), db_again.clone(), clock.clone());
        let rows = move |operator: Operator,
                         path: actix::Path<(AccountId, String)>,
                         query: actix::Query<PageQuery>| {
            let (account, table) = path.into_inner();
            let (tables, name, db) = (data.tables(), data.name_of(account), db.clone());
            let (log, now) = (data.log(), clock.now());
            async move {
                let of_table: Vec<Held> = tables.into_iter().filter(|held| held.table == table).collect();
                let page = page(&of_table, query.into_inner())?;
                if let Some(log) = log {
                    let act = operator.act("accounts.export", format!("account={account} table={table}"));
                    db.write(move |conn| log.add(conn, &act, now)).await?;
                }
                let reading = db.read(move |conn| {
                    let mut all = Rows::default();
                    for held in &of_table {
                        let mut some = rows::read(conn, held, &name, &page)?;
                        all.rows.append(&mut some.rows);
                        all.next = all.next.or(some.next);
                    }
                    Ok::<_, DbError>(all)
                });
                Ok::<_, Failure>(private().json(reading.await?))
            }
        };
        config.route(&format!("{base}/rows/{{table}}"), actix::get().to(rows));
    });
}

/// Which rows of a table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PageQuery {
    /// `next` of the page before.
    after: Option<String>,
    /// Whether messages are handed out, too; they are ciphertext.
    #[serde(default)]
    messages: bool,
}

fn page(of_table: &[Held], PageQuery { after, messages }: PageQuery) -> Result<Page, Failure> {
    let Some(held) = of_table.first() else {
        let problem = Problem::new(ProblemKind::NotFound("table-not-found"));
        return Err(Failure::problem(problem.with_detail("no such table has rows of accounts")));
    };
    let parse = |text: String| {
        let numbers: Option<Vec<i64>> = text.split(',').map(|number| number.parse().ok()).collect();
        let fitting = numbers.filter(|numbers| numbers.len() == held.paged.len());
        fitting.ok_or_else(|| Failure::invalid("after", "expected the next of a page before"))
    };
    Ok(Page { after: after.map(parse).transpose()?, messages })
}

/// An answer that no cache on the way keeps.
fn private() -> actix_web::HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CACHE_CONTROL, "no-store"));
    answer
}

/// A table that can have rows of an account.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    table: &'static str,
    /// The column that names the account, leading an index; none: the rows are not counted.
    column: Option<&'static str>,
    /// Which of its rows, where not all are alike.
    only: &'static str,
    shown: &'static [Column],
    /// Whole numbers by which a large table is read in pages, behind the account in its primary key.
    paged: &'static [&'static str],
    stays: Option<(&'static str, Kept)>,
}

/// Until when rows stay.
#[derive(Clone, Copy, Debug)]
pub enum Kept {
    /// For so long after the time in this column.
    Since(&'static str, Retention),
    /// Until the time in this column.
    Until(&'static str),
    /// For so long from now on, at most.
    AtMost(Duration),
    /// For as long as records are kept that were published, from now on at most.
    Published,
    /// Until somebody else takes them away.
    ForOthers,
}

impl Held {
    /// Rows that go with the account.
    #[must_use]
    pub const fn goes(table: &'static str, column: &'static str) -> Self {
        Self { table, column: Some(column), only: "TRUE", shown: &[], paged: &[], stays: None }
    }

    /// Rows that stay, and why.
    #[must_use]
    pub const fn stays(table: &'static str, column: &'static str, why: &'static str, kept: Kept) -> Self {
        Self { table, column: Some(column), only: "TRUE", shown: &[], paged: &[], stays: Some((why, kept)) }
    }

    /// The records that an account's changes have published.
    #[must_use]
    pub const fn published() -> Self {
        Self::among("outbox", "events of it that were published", Kept::Published)
    }

    /// What operators did about it, where [`AccountData::log`] says so.
    #[must_use]
    pub const fn audited() -> Self {
        let why = "what operators did about it and when, for as long as internal.audit_retention says";
        Self::among("admin_audit", why, Kept::ForOthers)
    }

    /// Rows that stay and are not counted: no index finds them.
    #[must_use]
    pub const fn among(table: &'static str, why: &'static str, kept: Kept) -> Self {
        Self { table, column: None, only: "TRUE", shown: &[], paged: &[], stays: Some((why, kept)) }
    }

    /// The columns that its owner is given.
    #[must_use]
    pub const fn shows(self, columns: &'static [Column]) -> Self {
        Self { shown: columns, ..self }
    }

    /// In pages, by these columns.
    #[must_use]
    pub const fn paged(self, columns: &'static [&'static str]) -> Self {
        Self { paged: columns, ..self }
    }

    /// Only those rows for which this condition holds.
    #[must_use]
    pub const fn only(self, condition: &'static str) -> Self {
        Self { only: condition, ..self }
    }

    /// What is read to tell how old the rows are.
    fn time(&self) -> &'static str {
        match self.stays {
            Some((_, Kept::Since(column, _) | Kept::Until(column))) => column,
            _ => "CAST(NULL AS BIGINT)",
        }
    }

    fn until(&self, newest: Option<i64>, (now, published): (UnixMillis, Duration)) -> Option<UnixMillis> {
        let newest = newest.map(UnixMillis);
        match self.stays?.1 {
            Kept::Since(_, retention) => Some(newest? + retention.age()?),
            Kept::Until(_) => newest,
            Kept::AtMost(age) => Some(now + age),
            Kept::Published => Some(now + published),
            Kept::ForOthers => None,
        }
    }
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    number: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    newest: Option<i64>,
}

/// Counts the rows of an account, which its tables call `name`; `times` are now, and how long published records are kept.
fn count(
    conn: &mut DbConn,
    tables: &[Held],
    name: &str,
    times: (UnixMillis, Duration),
) -> Result<Holdings, DbError> {
    let mut counted = Vec::with_capacity(tables.len());
    for held in tables {
        let mut rows = None;
        let mut newest = None;
        if let Some(column) = held.column {
            let sql = format!(
                "SELECT count(*) AS number, max({time}) AS newest FROM {table} WHERE {column} = $1 AND {only}",
                time = held.time(),
                table = held.table,
                only = held.only,
            );
            let query = diesel::sql_query(sql).bind::<Text, _>(name);
            let found: Counted = on_backend!(conn, |c| query.get_result(c))?;
            (rows, newest) = (Some(found.number), found.newest);
        }
        counted.push(Holding {
            table: held.table.to_owned(),
            rows,
            stays: held.stays.map(|(why, _)| why.to_owned()),
            until: held.until(newest, times),
            shown: !held.shown.is_empty(),
        });
    }
    Ok(Holdings { tables: counted })
}
