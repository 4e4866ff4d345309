//! Hands SMS to the publisher, by RabbitMQ or by HTTP.
//!
//! One process of all works at a time, as the holder of a lock in the database; what it was about when it was killed the
//! next one does again, and the publisher tells a repetition by its message id. An SMS that is refused is tried again with
//! growing pauses, alone; while nobody can be reached, all of them wait. One that is too old is kept, and counted.

mod seat;
mod target;

use std::sync::Arc;
use std::time::Duration;

use common::models::UnixMillis;
use db::{DbConn, DbError};
use futures_util::StreamExt as _;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::seat::Seat;
use self::target::Taken;
pub(crate) use self::target::Target;
use crate::app::State;
use crate::domain::MessageId;
use crate::store::incoming::{self, DueRow};

/// How often it is looked for SMS of other processes, and for the seat of one that died.
const POLL: Duration = Duration::from_millis(500);

/// Publishes until `cancel`; what is under way then is finished.
pub(crate) async fn run(state: State, target: Target, cancel: CancellationToken) {
    let mut seat = Seat::new(state.db.clone());
    let (first, longest) = (state.settings.publish_first_pause, state.settings.publish_longest_pause);
    let mut pause = first;
    while !cancel.is_cancelled() {
        let (back, turned) = turn(&state, &target, seat, &cancel).await;
        seat = back;
        match turned {
            Ok(Turn::Busy) => {
                pause = first;
                continue;
            }
            Ok(Turn::Idle) => pause = first,
            Ok(Turn::Away) => {
                tracing::warn!(retry_ms = pause.as_millis(), "the publisher cannot be reached; SMS wait");
                tokio::select! {
                    () = cancel.cancelled() => {}
                    () = sleep(pause) => {}
                    // Never at once: a connection that has just failed may still look like one.
                    () = async { sleep(pause.min(POLL)).await; target.comes_back().await } => {}
                }
                pause = (pause * 2).min(longest);
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, "SMS for the publisher cannot be read, or marked, at present")
            }
        }
        tokio::select! {
            () = cancel.cancelled() => {}
            () = state.wake.notified() => {}
            () = sleep(POLL) => {}
        }
    }
}

/// What a turn came to.
enum Turn {
    /// There may be more.
    Busy,
    /// Nothing was due, or another process has the seat.
    Idle,
    /// Nobody could be reached.
    Away,
}

async fn turn(
    state: &State,
    target: &Target,
    mut seat: Seat,
    cancel: &CancellationToken,
) -> (Seat, Result<Turn, DbError>) {
    let (now, limit) = (state.clock.now(), state.settings.publish_batch);
    let looking = tokio::task::spawn_blocking(move || {
        let due = seat.due(now, i64::from(limit));
        (seat, due)
    });
    match looking.await {
        Ok((seat, Ok(due))) => (seat, hand_over(state, target, due, cancel).await),
        Ok((seat, Err(error))) => (seat, Err(error)),
        Err(stopped) => (Seat::new(state.db.clone()), Err(DbError::other(stopped))),
    }
}

/// Hands a batch over, and writes down what became of it.
async fn hand_over(
    state: &State,
    target: &Target,
    due: Vec<DueRow>,
    cancel: &CancellationToken,
) -> Result<Turn, DbError> {
    if due.is_empty() {
        return Ok(Turn::Idle);
    }
    let deliveries = futures_util::stream::iter(due).map(|row| async {
        let taken = deliver(state, target, &row).await;
        (row, taken)
    });
    let parallel = state.settings.publish_parallel as usize;
    let done: Vec<(DueRow, Taken)> = deliveries.buffer_unordered(parallel).collect().await;
    let away = done.iter().any(|(_, taken)| matches!(taken, Taken::Away));
    settle(state, Settlement::of(state, done), cancel).await?;
    Ok(if away { Turn::Away } else { Turn::Busy })
}

async fn deliver(state: &State, target: &Target, row: &DueRow) -> Taken {
    let Ok(payload) = state.seal.open(&row.message_id, &row.sealed) else {
        tracing::error!(sms.id = %row.message_id, "an SMS was sealed under another relay.data_key");
        return Taken::Refused;
    };
    let trace = row.trace();
    let handing_over = target.deliver(&row.message_id, &payload, trace);
    let taken = timeout(state.settings.publish_timeout, handing_over).await.unwrap_or(Taken::Refused);
    if let Some(trace) = trace {
        telemetry::follow!(trace, sms.id = %row.message_id, outcome = taken.as_str(), "an SMS was handed to the publisher");
    }
    taken
}

/// Writes down what became of a batch, as often as it takes: what is not written down would be handed over again, and while
/// the disk is full the publisher would get the same SMS without end.
async fn settle(state: &State, settlement: Settlement, cancel: &CancellationToken) -> Result<(), DbError> {
    let settlement = Arc::new(settlement);
    let (mut wait, longest) = (state.settings.publish_first_pause, state.settings.publish_longest_pause);
    loop {
        let (to_write, now) = (Arc::clone(&settlement), state.clock.now());
        match state.db.write(move |conn| to_write.write(conn, now)).await {
            Err(error) if !cancel.is_cancelled() => {
                tracing::warn!(%error, retry_ms = wait.as_millis(), "what the publisher has taken cannot be marked");
            }
            written => return written,
        }
        tokio::select! {
            () = cancel.cancelled() => {}
            () = sleep(wait) => wait = (wait * 2).min(longest),
        }
    }
}

/// What became of a batch.
struct Settlement {
    /// The publisher has these.
    published: Vec<MessageId>,
    /// These are tried again: so often were they tried, and then is the next time.
    postponed: Vec<(MessageId, i32, UnixMillis)>,
    /// These are given up.
    buried: Vec<MessageId>,
}

impl Settlement {
    fn of(state: &State, done: Vec<(DueRow, Taken)>) -> Self {
        let (now, settings, metrics) = (state.clock.now(), &state.settings, &state.metrics);
        let count = |outcome: &str| metrics.publishes_total.with_label_values(&[outcome]).inc();
        let mut settlement = Self { published: Vec::new(), postponed: Vec::new(), buried: Vec::new() };
        for (row, taken) in done {
            let too_old = now - row.received_at >= settings.publish_max_age;
            match taken {
                Taken::Yes => {
                    count(taken.as_str());
                    settlement.published.push(row.message_id);
                }
                Taken::Refused | Taken::Away if too_old => {
                    count("dead");
                    tracing::error!(sms.id = %row.message_id, "an SMS waited too long for the publisher; it is kept, and not tried again");
                    settlement.buried.push(row.message_id);
                }
                Taken::Refused => {
                    count(taken.as_str());
                    let (first, longest) = (settings.publish_first_pause, settings.publish_longest_pause);
                    let next = now + pause(row.attempts, first, longest);
                    settlement.postponed.push((row.message_id, row.attempts.saturating_add(1), next));
                }
                Taken::Away => count(taken.as_str()),
            }
        }
        settlement
    }

    fn write(&self, conn: &mut DbConn, now: UnixMillis) -> Result<(), DbError> {
        incoming::published(conn, &self.published, now)?;
        for (id, attempts, next) in &self.postponed {
            incoming::postpone(conn, id, *attempts, *next)?;
        }
        for id in &self.buried {
            incoming::bury(conn, id, now)?;
        }
        Ok(())
    }
}

/// The pause after so many attempts that failed before this one.
fn pause(attempts: i32, first: Duration, longest: Duration) -> Duration {
    let doubled = 2_u32.saturating_pow(u32::try_from(attempts).unwrap_or(0).min(20));
    first.saturating_mul(doubled).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit() {
        let (first, longest) = (Duration::from_secs(1), Duration::from_secs(300));
        let pauses: Vec<u64> = [0, 1, 2, 8, 9, i32::MAX].map(|n| pause(n, first, longest).as_secs()).into();

        assert_eq!(pauses, [1, 2, 4, 256, 300, 300]);
    }
}
