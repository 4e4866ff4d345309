//! For tests: the tables, without the rest of the gateway.

use std::sync::Arc;

use common::models::UnixMillis;
use db::{Db, DbConn};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use testkit::database::TestDb;

use super::intake::{self, NewAttempt};
use super::queue::{Departure, Plan, Step};
use super::receipts::{self, Outcome, Settled};
use super::rows::JobRow;
use super::{MIGRATIONS, Rules, StoreError};
use crate::app;
use crate::domain::attempt::{JobKey, PartEvent};
use crate::domain::opt_out::OptOuts;
use crate::domain::state::{Emitted, JobState};
use crate::settings::{OptOut, QuotaSettings, Settings, SmscSettings};

/// 2026-11-28T12:00:00Z.
pub(crate) const NOON: UnixMillis = UnixMillis(1_795_867_200_000);

/// The rules of a gateway with two SMSCs, `a` and `b`.
pub(crate) fn rules(quota: QuotaSettings) -> Rules {
    let smsc = |name: &str| SmscSettings { name: name.into(), ..SmscSettings::default() };
    let settings = Settings { smsc: vec![smsc("a"), smsc("b")], quota, ..Settings::default() };
    app::rules(&settings, Arc::new(OptOuts::new(&OptOut::default())))
}

/// A request that waits to be submitted.
pub(crate) fn job(id: &str, class: &str, deadline: UnixMillis) -> NewAttempt {
    let row = JobRow {
        client_id: "acme".into(),
        id: id.into(),
        correl_id: id.into(),
        source_topic: "send-sms".into(),
        source_partition: 0,
        source_offset: 0,
        state: JobState::Queued.as_str().into(),
        holds: true,
        emitted: Emitted::default().bits(),
        possible_duplicate: false,
        traceparent: None,
        class: class.into(),
        deadline,
        payload: Some(String::new()),
        due_at: Some(NOON),
        tries: 0,
        segments: 0,
        reference: 0,
        smsc: None,
        recall_id: None,
        created_at: NOON,
        updated_at: NOON,
        recipient: Some(format!("recipient of {id}")),
        resends: 0,
        pinned: false,
        deadline_text: None,
        route: "default".into(),
        tried_smscs: None,
    };
    NewAttempt { row, emission: None, due: Vec::new(), seal: None }
}

pub(crate) fn key(id: &str) -> JobKey {
    JobKey { client_id: "acme".into(), id: id.into() }
}

pub(crate) fn plan(id: &str, smsc: &str, segments: i32, now: UnixMillis) -> Plan {
    let later = UnixMillis(now.as_i64() + 60_000);
    let departure = Departure { smsc: smsc.into(), segments, give_up_at: later, resend_at: later };
    Plan { key: key(id), departure: Ok(departure) }
}

/// Of the last try, whichever that is.
pub(crate) fn outcome(id: &str, smsc: &str, part: i32, copy: i32, event: PartEvent) -> Outcome {
    Outcome::Response { smsc: smsc.into(), key: key(id), part, copy, tries: i32::MAX, event }
}

pub(crate) fn accepted(id: &str, part: i32) -> PartEvent {
    PartEvent::Accepted { message_id: Some(format!("{id}-{part}")) }
}

/// The table, and what is asked of it.
pub(crate) struct Desk {
    pub(crate) db: Db,
    pub(crate) rules: Arc<Rules>,
}

impl Desk {
    pub(crate) async fn new(test: &TestDb, rules: Rules) -> Self {
        let db = test.open();
        db.migrate(&MIGRATIONS).await.unwrap();
        Self { db, rules: Arc::new(rules) }
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut DbConn, &Rules) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        let rules = self.rules.clone();
        self.db.write(move |conn| act(conn, &rules)).await.unwrap()
    }

    pub(crate) async fn take(&self, jobs: Vec<NewAttempt>) {
        self.write(move |conn, rules| intake::take(conn, rules, &jobs, NOON).map(drop)).await;
    }

    /// Claims, and tells which jobs leave.
    pub(crate) async fn claim(&self, plans: Vec<Plan>, now: UnixMillis) -> Vec<String> {
        let step = Step::Claim(plans, now);
        let claimed = self.write(move |conn, rules| step.run(conn, rules)).await.claimed;
        claimed.into_iter().map(|one| one.key.id.to_string()).collect()
    }

    pub(crate) async fn settle(&self, outcomes: Vec<Outcome>, now: UnixMillis) -> Vec<Settled> {
        self.write(move |conn, rules| receipts::settle(conn, rules, &outcomes, now)).await
    }

    /// What the table says that is used of a period.
    pub(crate) async fn used(&self, period: &'static str) -> i64 {
        self.write(move |conn, _| {
            let row = sql::<BigInt>(
                "SELECT CAST(COALESCE(SUM(used), 0) AS BIGINT) AS n FROM sms_quota_use WHERE period = ",
            )
            .bind::<Text, _>(period);
            Ok(row.get_result(conn)?)
        })
        .await
    }
}
