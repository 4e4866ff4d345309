//! The signals that ask a process to stop.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Waits for SIGTERM (a supervisor) or SIGINT (Ctrl-C). The handlers are in place once this returns.
///
/// # Errors
/// Those of the operating system.
pub fn shutdown_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!(signal = "SIGTERM", "asked to stop"),
            _ = interrupt.recv() => tracing::info!(signal = "SIGINT", "asked to stop"),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::{process::Command, time::Duration};

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn both_signals_ask_to_stop() {
        for name in ["TERM", "INT"] {
            let asked = shutdown_signal().unwrap();
            let mut asked = std::pin::pin!(asked);
            assert!(asked.as_mut().now_or_never().is_none());

            let own = std::process::id().to_string();
            assert!(Command::new("kill").args(["-s", name, &own]).status().unwrap().success());

            tokio::time::timeout(Duration::from_secs(10), asked).await.unwrap();
        }
    }
}
