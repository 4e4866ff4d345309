//! Runs tasks beside the HTTP server, and ends all of it in order.

use std::{io, sync::Arc, time::Duration};

use actix_server::ServerHandle;
use tokio::{
    task::{JoinHandle, JoinSet},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::{error, info, warn};

use super::ServerError;
use crate::{
    BoxError, Service,
    chain::chain,
    health::{Phase, Readiness},
    ws::Sockets,
};

/// How long the acceptor has to put a listener aside. It gives no sign when it has, and a connection that it takes for
/// workers that have ended is an error in the log.
const LAST_TURN: Duration = Duration::from_millis(500);

/// How a task ended: its service, its name, its result.
pub(super) type Ended = (&'static str, &'static str, Result<(), BoxError>);

/// Everything that runs.
pub(super) struct Running {
    pub(super) handle: ServerHandle,
    pub(super) server: JoinHandle<io::Result<()>>,
    pub(super) tasks: JoinSet<Ended>,
    pub(super) readiness: Arc<Readiness>,
    pub(super) sockets: Sockets,
    pub(super) cancel: CancellationToken,
    pub(super) delay: Duration,
    pub(super) timeout: Duration,
}

/// Starts the tasks of all services.
pub(super) fn start(services: Vec<Service>, cancel: &CancellationToken) -> JoinSet<Ended> {
    let mut tasks = JoinSet::new();
    for service in services {
        for task in service.tasks {
            let running = AbortOnDropHandle::new(tokio::spawn((task.run)(cancel.clone())));
            tasks.spawn(async move {
                // A task of its own, so that a panic keeps the name of who panicked.
                let result = running.await.unwrap_or_else(|error| Err(error.into()));
                (service.name, task.name, result)
            });
        }
    }
    tasks
}

impl Running {
    /// Serves until `shutdown`, or until something that should go on ends.
    pub(super) async fn until(
        mut self,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), ServerError> {
        self.readiness.enter(Phase::Serving);
        let outcome = tokio::select! {
            () = shutdown => Ok(()),
            Some(Ok(ended)) = self.tasks.join_next() => Err(early(ended)),
            result = &mut self.server => Err(ServerError::Http(server_end(result))),
        };
        // There is nothing to wait for when the process is failing: its balancer finds out by itself.
        let delay = if outcome.is_ok() { self.delay } else { Duration::ZERO };
        self.drain(delay).await;
        outcome
    }

    async fn drain(mut self, delay: Duration) {
        info!(delay_ms = delay.as_millis(), "draining");
        self.readiness.enter(Phase::Draining);
        tokio::time::sleep(delay).await;
        self.cancel.cancel();
        if timeout(self.timeout, self.sockets.ended()).await.is_err() {
            warn!("some websocket sessions did not end in time");
        }
        let finished = timeout(self.timeout, async {
            while let Some(ended) = self.tasks.join_next().await {
                if let Ok((service, task, Err(cause))) = ended {
                    error!(service, task, error = %chain(&*cause), "task failed while stopping");
                }
            }
        });
        if finished.await.is_err() {
            warn!(tasks = self.tasks.len(), "some tasks did not end in time");
        }
        self.handle.pause().await;
        tokio::time::sleep(delay.min(LAST_TURN)).await;
        self.handle.stop(true).await;
        info!("stopped");
    }
}

fn early((service, task, result): Ended) -> ServerError {
    let source = result.err();
    error!(service, task, error = source.as_deref().map(|cause| chain(cause)), "task ended early");
    ServerError::Task { service, task, source }
}

fn server_end(result: Result<io::Result<()>, tokio::task::JoinError>) -> io::Error {
    match result {
        Ok(Ok(())) => io::Error::other("it stopped without being told to"),
        Ok(Err(error)) => error,
        Err(error) => error.into(),
    }
}
