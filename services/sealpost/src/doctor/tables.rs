//! The databases: reachable, migrated, by a clock like ours, and without a queue that only grows.

use std::path::Path;

use bus::outbox::{self, Backlog};
use common::models::{Clock as _, SystemClock, UnixMillis};
use db::{Backend, Db, DbError};
use service::CommonSettings;

use super::{Finding, versions};
use crate::installation::Installation;
use crate::services::{self, Hosted};

/// What waits for longer than this does not merely wait for its turn.
const STUCK_SECONDS: u64 = 60;
/// Clocks that differ by more make tokens and deadlines wrong.
const SKEW_MS: u64 = 2_000;

/// Looks at the database of each service.
pub(super) async fn examine(common: &CommonSettings, installation: &Installation) -> Vec<Finding> {
    let data_dir = match installation.files(&common.database) {
        Ok(data_dir) => data_dir,
        Err(error) => return super::faults(&error),
    };
    let mut findings = Vec::new();
    let mut server_known = false;
    for service in services::all() {
        let check = format!("database {}", service.name);
        let file = data_dir.map(|dir| dir.join(format!("{}.sqlite", service.section())));
        if let Some(file) = file.filter(|file| !file.exists()) {
            let says = format!("{} is not there", file.display());
            findings.push(Finding::warning(check, says, "the first start makes it; else look at --data-dir"));
            continue;
        }
        let db = match service.database(&common.database, data_dir) {
            Ok(db) => db,
            Err(error) => {
                findings.push(Finding::failed(check, error.to_string(), "correct the section [database]"));
                continue;
            }
        };
        let found = one(&service, &db, data_dir).await;
        let found = found.unwrap_or_else(|error| {
            let advice = match db.backend() {
                Backend::Postgres => "is PostgreSQL up, reachable from here, and database.url right?",
                Backend::Sqlite => "is the file readable and sound? `sealpost restore` brings a backup back",
            };
            vec![Finding::failed(check, error.to_string(), advice)]
        });
        findings.extend(found);
        if !server_known && let Ok(Some(skew)) = skew(&db).await {
            server_known = true;
            findings.push(clock(skew));
            findings.extend(db.server_version().await.ok().flatten().map(versions::postgres));
        }
    }
    findings
}

async fn one(service: &Hosted, db: &Db, data_dir: Option<&Path>) -> Result<Vec<Finding>, DbError> {
    let check = format!("database {}", service.name);
    db.ping().await?;
    let mut findings = Vec::new();
    let Some(migrations) = service.migrations else { return Ok(findings) };
    let (missing, unknown) = (db.missing(migrations).await?, db.unknown(migrations).await?);
    if !unknown.is_empty() {
        findings.push(Finding::failed(
            &check,
            format!("a newer version has migrated it ({})", unknown.join(", ")),
            "use that version, or restore a backup from before",
        ));
    }
    if !missing.is_empty() {
        let says = format!("{} migrations are missing, from {}", missing.len(), missing[0]);
        findings.push(match data_dir {
            Some(_) => Finding::warning(&check, says, "back up; the next start applies them"),
            None => Finding::failed(&check, says, "back up, then run `sealpost migrate`"),
        });
        // The tables may not be there.
        return Ok(findings);
    }
    if findings.is_empty() {
        findings.push(Finding::ok(&check, "reachable, and migrated"));
    }
    if service.publishes {
        findings.push(backlog(service.name, db.read(outbox::backlog).await?, SystemClock.now()));
    }
    Ok(findings)
}

fn backlog(service: &str, backlog: Backlog, now: UnixMillis) -> Finding {
    let check = format!("outbox {service}");
    let Some(oldest) = backlog.oldest.filter(|_| backlog.pending > 0) else {
        return Finding::ok(check, "no event waits for the bus");
    };
    let age = (now - oldest).as_secs();
    let says = format!("{} events wait for the bus, the oldest for {age} s", backlog.pending);
    if age < STUCK_SECONDS {
        return Finding::ok(check, says);
    }
    Finding::warning(check, says, format!("is {service} running, and can it reach the bus? See its log"))
}

/// The database's clock minus ours, in milliseconds; none for SQLite, which has ours.
async fn skew(db: &Db) -> Result<Option<i64>, DbError> {
    let before = SystemClock.now();
    let theirs = db.clock().await?.map(UnixMillis::as_i64);
    let after = SystemClock.now();
    // It was read at some time between the two.
    Ok(theirs.map(|theirs| theirs - theirs.clamp(before.as_i64(), after.as_i64())))
}

fn clock(skew: i64) -> Finding {
    let check = "clock of the database";
    if skew.unsigned_abs() <= SKEW_MS {
        return Finding::ok(check, "the same as here");
    }
    let says = format!("{skew} ms from the clock here");
    Finding::failed(check, says, "let NTP set both clocks: tokens, deadlines and leases depend on them")
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_queue_is_stuck_by_its_age_and_not_by_its_length() {
        let now = UnixMillis(1_000_000);
        let found = |pending, age| {
            let oldest = (pending > 0).then_some(UnixMillis(now.as_i64() - age));
            backlog("auth", Backlog { pending, oldest }, now).state
        };

        assert_eq!(found(0, 0), State::Ok);
        assert_eq!(found(5000, 1_000), State::Ok);
        assert_eq!(found(1, 61_000), State::Warning);
    }

    #[test]
    fn clocks_may_differ_by_two_seconds_either_way() {
        assert_eq!((clock(2_000).state, clock(-2_000).state), (State::Ok, State::Ok));
        assert_eq!((clock(2_001).state, clock(-2_001).state), (State::Failed, State::Failed));
    }
}
