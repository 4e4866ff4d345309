//! What waits in the queue: found by route and class, or by the SMSC that has a part of it.

use common::models::UnixMillis;
use common::models::sms::{ClientId, JobId, RouteName, SmsClass, SmscName};
use db::{BatchQuery, BatchSql, DbConn, Rows};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text};

use crate::domain::attempt::JobKey;
use crate::domain::route::allot::Waiting;
use crate::store::schema::sms_jobs;
use crate::store::{StoreError, rows};

/// Those of one route and class.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    /// The route.
    pub(crate) route: RouteName,
    /// The class.
    pub(crate) class: SmsClass,
    /// How many at most.
    pub(crate) most: i64,
}

/// Which waiting jobs are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Now.
    pub(crate) now: UnixMillis,
    /// Those that may go to any SMSC of their route.
    pub(crate) lanes: Vec<Lane>,
    /// Those of which an SMSC has a part, or may have all, and how many at most.
    pub(crate) pinned: Vec<(SmscName, i64)>,
    /// Clients that have had their share for now.
    pub(crate) resting: Vec<ClientId>,
}

enum Find {}

impl BatchSql for Find {
    // The state is no parameter: a plan that is kept has to know it to use the indexes. Nor are resting clients excluded
    // by `<> ALL`: where there is one client only, PostgreSQL takes that for a condition that nothing fulfils, and walks
    // another index from end to end to find so (100 000 jobs: 930 ms instead of 0.1).
    const SQL: &'static str = "SELECT j.client_id, j.id, j.route, j.class, j.due_at, NULL, j.tried_smscs FROM {l} \
        CROSS JOIN LATERAL (SELECT * FROM sms_jobs WHERE state = 'queued' AND NOT pinned AND route = l.route \
        AND class = l.class AND due_at <= {now} AND (array_position({resting}, client_id) > 0) IS NOT TRUE \
        ORDER BY due_at, id LIMIT l.most) AS j \
        UNION ALL SELECT j.client_id, j.id, j.route, j.class, j.due_at, j.smsc, NULL FROM {p} \
        CROSS JOIN LATERAL (SELECT * FROM sms_jobs WHERE state = 'queued' AND pinned AND smsc = p.smsc \
        AND due_at <= {now} AND (array_position({resting}, client_id) > 0) IS NOT TRUE \
        ORDER BY due_at, id LIMIT p.most) AS j";
    type Row = FoundColumns;
}

type FoundColumns = (Text, Text, Text, Text, BigInt, Nullable<Text>, Nullable<Text>);
type Found = (ClientId, JobId, RouteName, String, UnixMillis, Option<SmscName>, Option<String>);

/// Finds jobs whose time has come, of each kind the longest waiting, without taking them.
pub(super) fn find(conn: &mut DbConn, wanted: &Wanted) -> Result<Vec<Waiting>, StoreError> {
    let found: Vec<Found> = match conn {
        DbConn::Pg(c) => {
            let resting: Vec<&str> = wanted.resting.iter().map(ClientId::as_str).collect();
            let lanes = Rows::of(&wanted.lanes)
                .column::<Text, _>("route", |lane| lane.route.as_str())
                .column::<Text, _>("class", |lane| lane.class.as_str())
                .column::<BigInt, _>("most", |lane| lane.most);
            let pinned = Rows::of(&wanted.pinned)
                .column::<Text, _>("smsc", |(smsc, _)| smsc.as_str())
                .column::<BigInt, _>("most", |(_, most)| *most);
            BatchQuery::<Find>::new()
                .rows("l", lanes)
                .rows("p", pinned)
                .value::<BigInt, _>("now", wanted.now.as_i64())
                .value::<Array<Text>, _>("resting", resting)
                .load(c)?
        }
        DbConn::Sqlite(c) => on_sqlite(c, wanted)?,
    };
    found.into_iter().map(waiting).collect()
}

fn on_sqlite(conn: &mut SqliteConnection, wanted: &Wanted) -> QueryResult<Vec<Found>> {
    use sms_jobs::{class, client_id, due_at, id, route, smsc, table, tried_smscs};
    let mut found = Vec::new();
    for lane in &wanted.lanes {
        let of_lane = table
            // The condition of the index, word for word.
            .filter(sql::<Bool>("state = 'queued' AND NOT pinned"))
            .filter(route.eq(&lane.route).and(class.eq(lane.class.as_str())))
            .filter(due_at.le(wanted.now).and(client_id.ne_all(&wanted.resting)))
            .order((due_at, id))
            .limit(lane.most)
            .select((
                client_id,
                id,
                route,
                class,
                due_at.assume_not_null(),
                sql::<Nullable<Text>>("NULL"),
                tried_smscs,
            ));
        found.extend(of_lane.load::<Found>(conn)?);
    }
    for (of, most) in &wanted.pinned {
        let of_smsc = table
            .filter(sql::<Bool>("state = 'queued' AND pinned"))
            .filter(smsc.eq(of))
            .filter(due_at.le(wanted.now).and(client_id.ne_all(&wanted.resting)))
            .order((due_at, id))
            .limit(*most)
            .select((
                client_id,
                id,
                route,
                class,
                due_at.assume_not_null(),
                smsc,
                sql::<Nullable<Text>>("NULL"),
            ));
        found.extend(of_smsc.load::<Found>(conn)?);
    }
    Ok(found)
}

fn waiting((client_id, id, route, class, due_at, pinned, tried): Found) -> Result<Waiting, StoreError> {
    Ok(Waiting {
        key: JobKey { client_id, id },
        route,
        class: class.parse().map_err(StoreError::unreadable)?,
        due_at,
        pinned,
        tried: rows::tried(tried.as_deref())?,
    })
}

enum Decide {}

impl BatchSql for Decide {
    // Locked in the order in which all lock them.
    const SQL: &'static str = "WITH decided AS MATERIALIZED (SELECT j.client_id, j.id, n.route FROM {n} \
            JOIN sms_jobs AS j ON j.client_id = n.client_id AND j.id = n.id WHERE j.state = 'queued' \
            ORDER BY j.client_id, j.id FOR UPDATE OF j) \
        UPDATE sms_jobs AS j SET route = decided.route FROM decided \
        WHERE j.client_id = decided.client_id AND j.id = decided.id";
    type Row = ();
}

/// Notes the routes of jobs that had none, or one that is no longer configured.
pub(super) fn decide(conn: &mut DbConn, decided: &[(JobKey, RouteName)]) -> Result<(), StoreError> {
    use sms_jobs::{route, state, table};
    match conn {
        DbConn::Pg(c) => {
            let rows = Rows::of(decided)
                .column::<Text, _>("client_id", |(key, _)| key.client_id.as_str())
                .column::<Text, _>("id", |(key, _)| key.id.as_str())
                .column::<Text, _>("route", |(_, name)| name.as_str());
            BatchQuery::<Decide>::new().rows("n", rows).execute(c)?;
        }
        DbConn::Sqlite(c) => {
            for (key, name) in decided {
                let job = table.find((&key.client_id, &key.id)).filter(state.eq("queued"));
                diesel::update(job).set(route.eq(name)).execute(c)?;
            }
        }
    }
    Ok(())
}

/// Gives the names of the routes that anything waits for: a step along the index for each name.
pub(crate) fn routes(conn: &mut DbConn) -> Result<Vec<RouteName>, StoreError> {
    #[derive(QueryableByName)]
    struct Name {
        #[diesel(sql_type = Text)]
        route: RouteName,
    }
    let names: Vec<Name> = diesel::sql_query(
        "WITH RECURSIVE names (route) AS (\
            SELECT MIN(route) FROM sms_jobs WHERE state = 'queued' AND NOT pinned \
            UNION ALL SELECT (SELECT MIN(j.route) FROM sms_jobs AS j WHERE j.state = 'queued' AND NOT j.pinned \
            AND j.route > names.route) FROM names WHERE names.route IS NOT NULL) \
         SELECT route FROM names WHERE route IS NOT NULL",
    )
    .load(conn)?;
    Ok(names.into_iter().map(|name| name.route).collect())
}
