//! The task of a provider: as many messages under way as its window has room for, begun no faster than agreed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::{Core, Event, Landing, Submission};
use crate::domain::provider::Verdict;

/// No rate is lower than one message in this time.
const LONGEST_GAP: Duration = Duration::from_secs(24 * 3600);

/// Runs until it is told to stop; then what was not begun is NotSent, and what was is waited for.
pub(super) async fn run(
    core: Arc<Core>,
    mut submissions: mpsc::Receiver<Submission>,
    events: mpsc::Sender<Event>,
) {
    let mut exchanges =
        Exchanges { core: core.clone(), events, tasks: JoinSet::new(), tokens: HashMap::new() };
    let mut free_at = Instant::now();
    let not_sent = |token| Event { token, landing: Landing::NotSent, took: Duration::ZERO };
    loop {
        let submission = tokio::select! {
            () = core.stop.cancelled() => break,
            Some(ended) = exchanges.tasks.join_next_with_id() => {
                exchanges.end(ended).await;
                continue;
            }
            submission = submissions.recv(), if exchanges.tasks.len() < core.window => submission,
        };
        let Some(submission) = submission else { break };
        tokio::select! {
            () = core.stop.cancelled() => {}
            () = sleep_until(free_at) => {}
        }
        // In trouble since it was handed over: it had better go another way, or later.
        if !core.may_begin(&submission.message) || core.trouble().is_some() {
            tell(&exchanges.events, not_sent(submission.token)).await;
            continue;
        }
        free_at = free_at.max(Instant::now()) + core.gap;
        exchanges.begin(submission);
    }
    submissions.close();
    while let Some(submission) = submissions.recv().await {
        tell(&exchanges.events, not_sent(submission.token)).await;
    }
    while let Some(ended) = exchanges.tasks.join_next_with_id().await {
        exchanges.end(ended).await;
    }
}

/// The requests under way.
struct Exchanges {
    core: Arc<Core>,
    events: mpsc::Sender<Event>,
    tasks: JoinSet<()>,
    tokens: HashMap<Id, u64>,
}

impl Exchanges {
    fn begin(&mut self, submission: Submission) {
        let (core, events) = (self.core.clone(), self.events.clone());
        core.in_flight.fetch_add(1, Ordering::Relaxed);
        let Submission { token, message } = submission;
        let task = self.tasks.spawn(async move {
            let began = Instant::now();
            let landing = core.conclude(core.send(&message).await);
            tell(&events, Event { token, landing, took: began.elapsed() }).await;
        });
        self.tokens.insert(task.id(), token);
    }

    /// Notes that one has ended. Of one that broke down nobody knows how far it got.
    async fn end(&mut self, ended: Result<(Id, ()), JoinError>) {
        self.core.in_flight.fetch_sub(1, Ordering::Relaxed);
        match ended {
            Ok((id, ())) => {
                self.tokens.remove(&id);
            }
            Err(error) => {
                if let Some(token) = self.tokens.remove(&error.id()) {
                    let landing = Landing::Answered(Verdict::Unknown { why: "the task broke down" });
                    tell(&self.events, Event { token, landing, took: Duration::ZERO }).await;
                }
            }
        }
    }
}

/// Gives the time between two messages.
pub(super) fn gap(tps: f64) -> Duration {
    match tps {
        0.0 => Duration::ZERO,
        tps => Duration::try_from_secs_f64(tps.recip()).unwrap_or(LONGEST_GAP).min(LONGEST_GAP),
    }
}

async fn tell(events: &mpsc::Sender<Event>, event: Event) {
    // Nobody reads any more: the rows say that it may have left.
    let _ = events.send(event).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_gap_and_none_is_none() {
        assert_eq!(gap(0.0), Duration::ZERO);
        assert_eq!(gap(20.0), Duration::from_millis(50));
        assert_eq!(gap(f64::MIN_POSITIVE), LONGEST_GAP);
    }
}
