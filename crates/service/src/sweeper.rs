//! What time alone removes, in every service.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Sweeps at once, and then every `period`, until `cancel`, which also ends a sweep. One that fails is told of, and is done
/// again at the next turn: `sweep` removes in bounded batches, and may be cut off between any two.
pub async fn sweep_every<F, E>(period: Duration, cancel: CancellationToken, mut sweep: impl FnMut() -> F)
where
    F: Future<Output = Result<(), E>>,
    E: Display,
{
    let mut timer = tokio::time::interval(period);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let sweeping = async {
        loop {
            timer.tick().await;
            if let Err(error) = sweep().await {
                tracing::warn!(%error, "what has expired could not be removed; trying again later");
            }
        }
    };
    cancel.run_until_cancelled(sweeping).await;
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn a_sweep_that_fails_is_done_again_and_the_end_ends_it() {
        let (cancel, sweeps) = (CancellationToken::new(), Cell::new(0));

        let sweep = || {
            sweeps.set(sweeps.get() + 1);
            if sweeps.get() == 3 {
                cancel.cancel();
            }
            async { Err::<(), _>("away") }
        };
        sweep_every(Duration::from_millis(1), cancel.clone(), sweep).await;

        assert_eq!(sweeps.get(), 3);
    }
}
