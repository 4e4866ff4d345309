//! Where requests are sent from.

use reqwest::{RequestBuilder, Response};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

/// Sends requests from the runtime in which it was made, whichever one asks.
///
/// A connection is a task of the runtime that opened it, and is lent to requests of all others. The runtimes of a server's
/// workers end one by one while the process drains, and would take connections along that others still wait on.
#[derive(Clone, Debug)]
pub struct Dispatch(Option<Handle>);

impl Dispatch {
    /// Sends from the runtime of the caller; outside of any, from that of each request.
    #[must_use]
    pub fn here() -> Self {
        Self(Handle::try_current().ok())
    }

    /// Sends a request, and gives up with its caller.
    ///
    /// # Errors
    /// Those of the transport.
    pub async fn send(&self, request: RequestBuilder) -> reqwest::Result<Response> {
        let Some(runtime) = &self.0 else { return request.send().await };
        match AbortOnDropHandle::new(runtime.spawn(request.send())).await {
            Ok(answer) => answer,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime has ended, and with it the process: nobody hears an answer any more.
                Err(_) => std::future::pending().await,
            },
        }
    }
}
