//! The signals that ask a process to stop.

use std::future::pending;
use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Waits for SIGTERM (a supervisor), SIGINT (Ctrl-C) or SIGHUP (a terminal that is gone; goes on being ignored where the
/// process was started so, as by nohup). The handlers are in place once this returns.
///
/// # Errors
/// Those of the operating system.
pub fn shutdown_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // Told by Linux alone: elsewhere nohup keeps nothing from ending.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut hangup = if ignores_hangup(&status) { None } else { Some(signal(SignalKind::hangup())?) };
    Ok(async move {
        let hung_up = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => tracing::info!(signal = "SIGTERM", "asked to stop"),
            _ = interrupt.recv() => tracing::info!(signal = "SIGINT", "asked to stop"),
            _ = hung_up => tracing::info!(signal = "SIGHUP", "asked to stop"),
        }
    })
}

/// Reads it from `/proc/PID/status` (proc_pid_status(5)).
fn ignores_hangup(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // The lowest bit is signal 1.
    ignored.is_some_and(|mask| mask & 1 != 0)
}

#[cfg(test)]
mod tests {
    use std::{process::Command, time::Duration};

    use futures_util::FutureExt;

    use super::*;

    fn status(command: &mut Command) -> String {
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }

    #[test]
    fn who_was_started_by_nohup_ignores_a_hangup() {
        assert!(ignores_hangup(&status(Command::new("nohup").args(["cat", "/proc/self/status"]))));
        let mut heard = Command::new("env");
        heard.args(["--default-signal=HUP", "cat", "/proc/self/status"]);
        assert!(!ignores_hangup(&status(&mut heard)));
    }

    #[tokio::test]
    async fn each_signal_asks_to_stop() {
        let own = std::fs::read_to_string("/proc/self/status").unwrap();
        // The suite itself may run by nohup.
        let names = if ignores_hangup(&own) { &["TERM", "INT"][..] } else { &["TERM", "INT", "HUP"] };
        for name in names {
            let asked = shutdown_signal().unwrap();
            let mut asked = std::pin::pin!(asked);
            assert!(asked.as_mut().now_or_never().is_none());

            let own = std::process::id().to_string();
            assert!(Command::new("kill").args(["-s", name, &own]).status().unwrap().success());

            tokio::time::timeout(Duration::from_secs(10), asked).await.unwrap();
        }
    }
}
