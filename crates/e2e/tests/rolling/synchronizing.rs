//! Sessions of synchronization, one after the other, each with its pause and its ack.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::app::App;
use crate::world::World;

/// Between the keys and the password: long enough that some sessions are paused on a pod that goes.
const HESITATION: Duration = Duration::from_millis(1500);

/// The load, until it is finished.
pub(crate) struct Synchronizing {
    stop: CancellationToken,
    running: AbortOnDropHandle<usize>,
}

impl Synchronizing {
    pub(crate) async fn start(world: &World) -> Self {
        let app = App::register(world, "synchronizing", "+237677000001").await;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let running = async move {
            let mut sessions = 0;
            while !stopped.is_cancelled() {
                app.synchronize(HESITATION).await;
                sessions += 1;
            }
            sessions
        };
        Self { stop, running: AbortOnDropHandle::new(tokio::spawn(running)) }
    }

    /// Stops; every session that began came to its ack. Says how many there were.
    pub(crate) async fn finish(self) -> String {
        self.stop.cancel();
        format!("{} synchronizations", self.running.await.unwrap())
    }
}
