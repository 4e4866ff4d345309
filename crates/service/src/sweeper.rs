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
    loop {
        let turn = async {
            timer.tick().await;
            sweep().await
        };
        match cancel.run_until_cancelled(turn).await {
            None => return,
            Some(Ok(())) => {}
            Some(Err(error)) => {
                tracing::warn!(%error, "what has expired could not be removed; trying again later");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const PERIOD: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn a_sweep_that_fails_is_done_again_and_the_end_ends_it() {
        let (cancel, sweeps) = (CancellationToken::new(), Cell::new(0));

        let sweep = || {
            sweeps.set(sweeps.get() + 1);
            // The next turn is due at once: a cancellation goes before it.
            std::thread::sleep(PERIOD * 2);
            if sweeps.get() == 3 {
                cancel.cancel();
            }
            async { Err::<(), _>("away") }
        };
        sweep_every(PERIOD, cancel.clone(), sweep).await;

        assert_eq!(sweeps.get(), 3);
    }
}
