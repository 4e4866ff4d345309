//! Turns: work on the same thing is done one after the other in this process.

use tokio::sync::{Mutex, MutexGuard};

/// Things that may be worked on side by side; which of them meet in a turn, only the holder of the key can tell.
const TURNS: usize = 256;

/// Who works on what.
pub(crate) struct Turns(Vec<Mutex<()>>);

impl Default for Turns {
    fn default() -> Self {
        Self(std::iter::repeat_with(Mutex::default).take(TURNS).collect())
    }
}

impl Turns {
    /// Waits until nobody else works on what has this keyed hash.
    pub(crate) async fn of(&self, key: &[u8; 32]) -> Option<MutexGuard<'_, ()>> {
        match self.0.get(usize::from(key[0])) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        }
    }
}
