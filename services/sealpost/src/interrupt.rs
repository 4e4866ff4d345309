//! Long work that a signal ends in an orderly way: what is half done goes away, instead of staying behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::console::{self, Outcome};

/// Whether somebody has asked the program to stop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

/// Somebody has.
#[derive(Debug, thiserror::Error)]
#[error("interrupted; nothing was kept")]
pub(crate) struct Interrupted;

impl Interrupt {
    /// Asks, for loops that cannot fail in another way.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Asks between two steps.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub(crate) fn check(&self) -> Result<(), Interrupted> {
        if self.is_wanted() { Err(Interrupted) } else { Ok(()) }
    }
}

/// Runs work that may block its thread, and that looks at its [`Interrupt`] between its steps.
///
/// # Errors
/// Those of the work, or that it cannot be begun.
pub(crate) fn block_on<W: Future<Output = Outcome>>(work: impl FnOnce(Interrupt) -> W) -> Outcome {
    // The one worker waits for the signals while this thread works.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let interrupt = Interrupt::default();
    let asked = {
        let _entered = runtime.enter();
        web::shutdown_signal()?
    };
    let wanted = interrupt.clone();
    runtime.spawn(async move {
        asked.await;
        wanted.0.store(true, Ordering::Relaxed);
        // A statement that waits for a server is not woken.
        console::say("asked to stop: what is half done goes away as soon as the step at hand has ended");
    });
    runtime.block_on(work(interrupt))
}
