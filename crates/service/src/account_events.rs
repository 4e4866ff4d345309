//! What a service does about account events, and the nudge that brings them.
//!
//! The gate and all pods learn what is revoked, then the service's own handler applies the event. It may see an event
//! twice and late, so it is idempotent.

use std::sync::Arc;

use actix_web::{HttpResponse, web as actix};
use async_trait::async_trait;
use common::models::AsProblem;
use common::models::events::AccountEvent;
use web::{Failure, InternalCaller, Json, RoutesFn, Service};

use crate::error::StartError;
use crate::platform::Platform;
use crate::revocations::{broadcast, revoke};

/// What a service does about account events. Idempotent: an event arrives at least once.
#[async_trait]
pub trait AccountEvents: Send + Sync + 'static {
    /// What can go wrong. Every error is taken as passing: the event is tried again.
    type Error: AsProblem + Send + Sync + 'static;

    /// Makes the event true for the tables of this service; an event that does not concern them is `Ok`.
    ///
    /// # Errors
    /// Whatever keeps it from doing so now.
    async fn apply(&self, event: &AccountEvent) -> Result<(), Self::Error>;
}

/// Adds `POST /internal/<service>/v1/nudge` to the internal routes that `service` has by now.
///
/// # Errors
/// [`StartError::Bus`] for settings that can never work.
pub fn handle_account_events<H: AccountEvents>(
    service: &mut Service,
    platform: &Platform,
    handler: Arc<H>,
) -> Result<(), StartError> {
    let inbox = Arc::new(Inbox { platform: platform.clone(), handler });
    service.internal = with_nudge(service, inbox);
    Ok(())
}

/// The service's internal routes and the nudge.
fn with_nudge<H: AccountEvents>(service: &Service, inbox: Arc<Inbox<H>>) -> RoutesFn {
    let path = format!("/internal/{}/v1/nudge", service.name);
    let before = Arc::clone(&service.internal);
    web::routes(move |config| {
        before(config);
        let inbox = Arc::clone(&inbox);
        let nudge = move |_: InternalCaller, Json(event): Json<AccountEvent>| {
            let inbox = Arc::clone(&inbox);
            async move {
                inbox.take(&event).await?;
                Ok::<_, Failure>(HttpResponse::NoContent().finish())
            }
        };
        config.route(&path, actix::post().to(nudge));
    })
}

struct Inbox<H> {
    platform: Platform,
    handler: Arc<H>,
}

impl<H: AccountEvents> Inbox<H> {
    async fn take(&self, event: &AccountEvent) -> Result<(), H::Error> {
        // First the tokens, which need no database: a revoked caller stays out even if the rest has to wait.
        if revoke(&self.platform.gate, event, self.platform.clock.now()) {
            broadcast(&self.platform.live, event);
        }
        self.handler.apply(event).await
    }
}
