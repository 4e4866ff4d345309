//! What time brings: outcomes that are given up, deadlines that pass, refused binds, old rows.

mod pulse;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::models::UnixMillis;
use db::DbConn;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use self::pulse::{BEAT, Pulse};
use super::links::{HTTP, Links};
use super::{Gateway, quota};
use crate::domain::order::Order;
use crate::store::receipts::{self, Outcome};
use crate::store::rows::StatusRow;
use crate::store::{StoreError, upkeep};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the database must have answered, and this process run, before outcomes are given up: after an outage the
/// sessions of all instances first store what they learnt meanwhile, after a standstill this one's first read it.
const GRACE: Duration = Duration::from_secs(5);
/// Counting takes a walk over what is counted.
const COUNT_EVERY: Duration = Duration::from_secs(10);
const PRUNE_EVERY: Duration = Duration::from_secs(60);
const PRUNE_FOR: Duration = Duration::from_millis(500);

/// Runs until cancelled.
pub(crate) async fn run(
    gateway: Arc<Gateway>,
    links: Arc<Links>,
    cancel: CancellationToken,
) -> Result<(), Infallible> {
    let pulse = Mutex::new(Pulse::new(Instant::now(), gateway.now()));
    // Beside the rounds, which may be long: a break is noticed whatever it falls into.
    let beating = async {
        loop {
            tokio::time::sleep(BEAT).await;
            beat(&pulse, &gateway);
        }
    };
    tokio::select! {
        () = beating => {}
        () = look(&gateway, &links, &pulse, &cancel) => {}
    }
    Ok(())
}

/// Notes that the process runs; tells whether it has done so for long enough to give anything up.
fn beat(pulse: &Mutex<Pulse>, gateway: &Gateway) -> bool {
    lock(pulse).beat(Instant::now(), gateway.now()) >= GRACE
}

/// A pulse is whole after each of its steps, so a poisoned lock is sound.
fn lock(pulse: &Mutex<Pulse>) -> MutexGuard<'_, Pulse> {
    pulse.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn look(gateway: &Gateway, links: &Links, pulse: &Mutex<Pulse>, cancel: &CancellationToken) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut counted_at, mut pruned_at): (Option<Instant>, Option<Instant>) = (None, None);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = round(gateway, links, beat(pulse, gateway)).await {
            tracing::warn!(%error, "upkeep is not possible now");
            lock(pulse).interrupt(Instant::now());
            continue;
        }
        if counted_at.is_none_or(|at| at.elapsed() >= COUNT_EVERY) {
            counted_at = Some(Instant::now());
            count(gateway).await;
            quota::show(gateway).await;
        }
        if pruned_at.is_none_or(|at| at.elapsed() >= PRUNE_EVERY) {
            pruned_at = prune(gateway).await.then(Instant::now);
        }
    }
}

async fn round(gateway: &Gateway, links: &Links, giving_up: bool) -> Result<(), StoreError> {
    let now = gateway.now();
    let rules = gateway.rules.clone();
    let patience = gateway.settings.bind_patience;
    let hopeless = links.hopeless(&rules.routes, patience);
    // First, as a receipt may tell what nobody else will.
    rematch(gateway, now).await?;
    // A transaction each: whoever has written statuses locks no more jobs.
    let law = rules.clone();
    gateway.announce_written(move |conn| upkeep::expire(conn, &law, now)).await?;
    if giving_up {
        let law = rules.clone();
        gateway.announce_written(move |conn| upkeep::give_up(conn, &law, now)).await?;
    }
    for (which, status) in hopeless {
        let (law, times) = (rules.clone(), (now - patience, now));
        let reason = format!("the SMSC refuses the bind: {status}");
        let refusing = move |conn: &mut DbConn| upkeep::refuse(conn, &law, times, (&which, &reason));
        gateway.announce_written(refusing).await?;
    }
    show(gateway, links);
    Ok(())
}

impl Gateway {
    /// Writes, and tells of the statuses that came of it.
    async fn announce_written(
        &self,
        write: impl FnOnce(&mut DbConn) -> Result<Vec<StatusRow>, StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let published = self.db.write(write).await?;
        self.announcer.announce(&published);
        Ok(())
    }
}

/// Tells how the sessions do.
fn show(gateway: &Gateway, links: &Links) {
    let metrics = &gateway.metrics;
    for link in links.all() {
        let (stats, label) = (link.stats(), [link.name.as_str()]);
        if let Some(reached) = link.reaches() {
            metrics.bound.with_label_values(&[link.name.as_str(), HTTP]).set(reached.into());
        }
        for way in link.ways() {
            let of_bind = [link.name.as_str(), way.kind().as_str()];
            metrics.alarm.with_label_values(&of_bind).set(way.alarm().is_some().into());
        }
        let used = i64::try_from(stats.in_flight).unwrap_or(i64::MAX);
        metrics.window_used.with_label_values(&label).set(used);
        metrics.window.with_label_values(&label).set(i64::try_from(link.window).unwrap_or(i64::MAX));
        let wanted = link.order().unwrap_or_default() == Order::Open;
        metrics.stopped_by_operator.with_label_values(&label).set((!wanted).into());
        metrics.rate.with_label_values(&label).set(stats.rate.unwrap_or_default());
        metrics.health.with_label_values(&label).set(link.health());
        metrics.paused.with_label_values(&label).set(stats.paused.into());
    }
}

/// Tries parked receipts again.
async fn rematch(gateway: &Gateway, now: UnixMillis) -> Result<(), StoreError> {
    let receipts = gateway.db.read(move |conn| receipts::due(conn, now)).await?;
    let outcomes = receipts.into_iter().map(Outcome::Receipt).collect();
    for settled in gateway.outcomes.submit_many(outcomes).await {
        match settled {
            Ok(settled) => {
                settled.follow();
                gateway.announcer.announce(&settled.statuses);
            }
            // It stays parked, and keeps neither the others nor what is due from their turn.
            Err(error) => tracing::warn!(%error, "a parked receipt cannot be tried now"),
        }
    }
    Ok(())
}

/// Removes what is old, round by round; tells whether that was all of it. What is left after [`PRUNE_FOR`] has its turn
/// after the next look: more may end in a minute than a single round removes.
async fn prune(gateway: &Gateway) -> bool {
    let begun = Instant::now();
    loop {
        let now = gateway.now();
        let before = now - gateway.settings.retention;
        let report_before = now - gateway.settings.report_retention;
        let pruning = gateway.db.write(move |conn| upkeep::prune(conn, (before, report_before), now));
        match pruning.await {
            Ok(rows) if rows < upkeep::ROUND as usize => return true,
            Ok(rows) => tracing::debug!(rows, "old rows removed"),
            Err(error) => {
                tracing::warn!(%error, "old rows cannot be removed now");
                return true;
            }
        }
        if begun.elapsed() >= PRUNE_FOR {
            return false;
        }
    }
}

async fn count(gateway: &Gateway) {
    match gateway.db.read(upkeep::counts).await {
        Ok(counts) => {
            let age = counts.oldest.map_or(Duration::ZERO, |oldest| gateway.now() - oldest);
            gateway.metrics.queued.set(counts.queued);
            gateway.metrics.queued_oldest_seconds.set(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
            gateway.metrics.unknown.set(counts.unknown);
            gateway.metrics.receipts_unmatched.set(counts.unmatched);
        }
        Err(error) => tracing::warn!(%error, "what waits cannot be counted now"),
    }
}
