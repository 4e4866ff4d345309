//! `/v1/notify/push`: where devices are reached that are not connected.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, put};
use common::models::Problem;
use web::{ClientAddr, Failure, Json, Rule, bearer};

use super::bodies::push::{SubscriptionBody, SubscriptionView, VapidAnswer};
use crate::app::State;
use crate::domain::NotifyError;
use crate::push::{self, Holder, Push};

/// Gives the public key of this server towards push services (VAPID): the `applicationServerKey` with which a browser
/// subscribes.
#[utoipa::path(tag = "push", responses(
    (status = 200, body = VapidAnswer),
    (status = 404, body = Problem, description = "`push-off`: this server pushes nothing"),
))]
#[get("/v1/notify/push/vapid")]
pub(crate) async fn vapid(state: Data<State>) -> Result<HttpResponse, Failure> {
    let public_key = pusher(&state)?.public_key().to_owned();
    Ok(HttpResponse::Ok().json(VapidAnswer { public_key }))
}

/// Notes where the device is reached that has a token: the PushSubscription of its browser, or of its UnifiedPush
/// distributor, or a receiver of webhooks. It takes the place of an earlier one of the same token.
#[utoipa::path(tag = "push", request_body = SubscriptionBody, responses(
    (status = 200, body = SubscriptionView),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`token-shared`: clients share the token; ask for one of your own"),
    (status = 404, body = Problem, description = "`push-off`"),
    (status = 422, body = Problem, description = "`push-subscription-refused`, `too-many-push-subscriptions`"),
    (status = 429, body = Problem),
    (status = 503, body = Problem),
), security(("channelToken" = []), ("accessToken" = [])))]
#[put("/v1/notify/push/subscription")]
pub(crate) async fn put_subscription(
    state: Data<State>,
    client: ClientAddr,
    request: HttpRequest,
    body: Json<SubscriptionBody>,
) -> Result<HttpResponse, Failure> {
    let push = pusher(&state)?;
    let holder = holder(&state, client, &request).await?;
    state.limits.take(Rule::NotifyPushDevice, holder.by.to_text())?;
    let row = push::subscribe(&state, push, &holder, body.into_inner().into()).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(SubscriptionView::new(row)))
}

/// Tells whether the device that has a token is pushed to. Where it is reached is not shown again.
#[utoipa::path(tag = "push", responses(
    (status = 200, body = SubscriptionView),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`token-shared`"),
    (status = 404, body = Problem, description = "`push-subscription-not-found`, `push-off`"),
    (status = 503, body = Problem),
), security(("channelToken" = []), ("accessToken" = [])))]
#[get("/v1/notify/push/subscription")]
pub(crate) async fn get_subscription(
    state: Data<State>,
    client: ClientAddr,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    pusher(&state)?;
    let row = push::find(&state, &holder(&state, client, &request).await?).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(SubscriptionView::new(row)))
}

/// Forgets where the device is reached that has a token.
#[utoipa::path(tag = "push", responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`token-shared`"),
    (status = 404, body = Problem, description = "`push-subscription-not-found`, `push-off`"),
    (status = 503, body = Problem),
), security(("channelToken" = []), ("accessToken" = [])))]
#[delete("/v1/notify/push/subscription")]
pub(crate) async fn delete_subscription(
    state: Data<State>,
    client: ClientAddr,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    pusher(&state)?;
    push::unsubscribe(&state, &holder(&state, client, &request).await?).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn pusher(state: &State) -> Result<&Push, NotifyError> {
    state.push.as_ref().ok_or(NotifyError::PushOff)
}

/// Which device calls. Wrong tokens are counted by where they come from.
async fn holder(state: &State, client: ClientAddr, request: &HttpRequest) -> Result<Holder, NotifyError> {
    let Some(token) = bearer(request) else { return Err(NotifyError::TokenRefused) };
    let found = Holder::of(state, token).await;
    if matches!(found, Err(NotifyError::TokenRefused)) {
        state.limits.take(Rule::NotifyTokenAddress, client.network())?;
    }
    found
}
