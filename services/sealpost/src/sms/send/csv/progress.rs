//! How far a run is: a bar on a terminal, else a line from time to time.

use std::time::Duration;

use indicatif::ProgressBar;
use tokio::time::Instant;

use crate::console;

/// Between two lines.
const EVERY: Duration = Duration::from_secs(5);

/// Shows a count that grows.
pub(super) struct Shown {
    bar: ProgressBar,
    what: &'static str,
    done: usize,
    total: usize,
    next: Instant,
}

impl Shown {
    pub(super) fn new(total: usize, what: &'static str) -> Self {
        let bar = console::progress(total, what);
        Self { bar, what, done: 0, total, next: Instant::now() + EVERY }
    }

    /// Shows that so many are done.
    pub(super) fn set(&mut self, done: usize) {
        self.done = done;
        self.bar.set_position(done as u64);
        if self.bar.is_hidden() && Instant::now() >= self.next {
            console::say(&format!("{}: {} of {}", self.what, self.done, self.total));
            self.next = Instant::now() + EVERY;
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
