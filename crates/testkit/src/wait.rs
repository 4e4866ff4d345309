//! Waiting for a condition instead of sleeping.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a test waits for what must happen; generous, since only a failing test takes it.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// How often the condition is tried.
const STEP: Duration = Duration::from_millis(10);

/// Calls `probe` until it gives a value, and returns that.
///
/// # Panics
/// When [`DEADLINE`] passes first; the message names `what` was waited for.
pub async fn wait_for<T, F: Future<Output = Option<T>>>(what: &str, probe: impl FnMut() -> F) -> T {
    wait_for_within(DEADLINE, what, probe).await
}

/// As [`wait_for`], with a deadline of its own.
///
/// # Panics
/// When the deadline passes first.
pub async fn wait_for_within<T, F: Future<Output = Option<T>>>(
    deadline: Duration,
    what: &str,
    mut probe: impl FnMut() -> F,
) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(Instant::now() < end, "waited {deadline:?} in vain for: {what}");
        sleep(STEP).await;
    }
}

/// Waits until `condition` holds.
///
/// # Panics
/// When [`DEADLINE`] passes first; the message names `what` was waited for.
pub async fn wait_until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    wait_for(what, || {
        let holds = condition();
        async move { holds.await.then_some(()) }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_value_is_returned() {
        let mut tries = 0;

        let value = wait_for("the third try", || {
            tries += 1;
            let value = (tries == 3).then_some(tries);
            async move { value }
        })
        .await;

        assert_eq!(value, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "in vain for: what never comes")]
    async fn a_condition_that_never_holds_fails_the_test() {
        wait_for_within(Duration::from_millis(20), "what never comes", || async { None::<()> }).await;
    }
}
