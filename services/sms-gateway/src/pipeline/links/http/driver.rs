//! The task of a provider: as many messages under way as its window has room for, begun no faster than agreed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::{Core, Event, Landing, Submission};

/// Runs until it is told to stop; then what was not begun is NotSent, and what was is waited for.
pub(super) async fn run(
    core: Arc<Core>,
    mut submissions: mpsc::Receiver<Submission>,
    events: mpsc::Sender<Event>,
) {
    let mut under_way = JoinSet::new();
    let mut free_at = Instant::now();
    loop {
        let submission = tokio::select! {
            () = core.stop.cancelled() => break,
            Some(_) = under_way.join_next() => continue,
            submission = submissions.recv(), if under_way.len() < core.window => submission,
        };
        let Some(submission) = submission else { break };
        tokio::select! {
            () = core.stop.cancelled() => {}
            () = sleep_until(free_at) => {}
        }
        // In trouble since it was handed over: it had better go another way, or later.
        if core.stop.is_cancelled() || core.trouble().is_some() {
            tell(&events, submission.token, Landing::NotSent).await;
            continue;
        }
        free_at = free_at.max(Instant::now()) + core.gap;
        core.in_flight.fetch_add(1, Ordering::Relaxed);
        let (core, events) = (core.clone(), events.clone());
        under_way.spawn(async move {
            let end = core.send(&submission.message).await;
            core.in_flight.fetch_sub(1, Ordering::Relaxed);
            tell(&events, submission.token, core.conclude(end)).await;
        });
    }
    submissions.close();
    while let Some(submission) = submissions.recv().await {
        tell(&events, submission.token, Landing::NotSent).await;
    }
    while under_way.join_next().await.is_some() {}
}

/// Gives the time between two messages.
pub(super) fn gap(tps: f64) -> Duration {
    if tps > 0.0 { Duration::try_from_secs_f64(tps.recip()).unwrap_or(Duration::MAX) } else { Duration::ZERO }
}

async fn tell(events: &mpsc::Sender<Event>, token: u64, landing: Landing) {
    // Nobody reads any more: the rows say that it may have left.
    let _ = events.send(Event { token, landing }).await;
}
