//! `/v2/sync/init/...`: shows a session. The frames are in `docs/compat/sync-gateway.md`.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get};
use common::models::Problem;
use serde::Deserialize;
use utoipa::IntoParams;
use web::Failure;
use web::ws::{SocketLimits, upgrade};

use crate::app::State;
use crate::delivery::{Base, Subscription, serve};
use crate::domain::{SyncError, SyncId, UserId, sessions};
use crate::settings::Format;

/// Nothing is read from the peer.
const MESSAGE_BYTES: usize = 4096;

/// Room for the frames of a session, many times over.
const QUEUE_BYTES: usize = 64 * 1024;
const QUEUE_FRAMES: usize = 64;

/// How a session is to be shown.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InitQuery {
    /// `text` (the bare URL) or `json`; the setting decides if it is not given.
    #[param(value_type = Option<String>)]
    format: Option<Format>,
}

/// Shows a session to a browser or an app: its URLs, then that keys were exchanged, then that the password was right.
#[utoipa::path(tag = "sync", params(("user" = String, Path), ("session" = String, Path), InitQuery), responses(
    (status = 101, description = "frames and close codes: `docs/compat/sync-gateway.md`"),
    (status = 400, body = Problem, description = "not a websocket handshake"),
    (status = 404, body = Problem, description = "`session-not-found`"),
    (status = 503, body = Problem, description = "also with `sync.max_sockets` of them"),
))]
#[get("/v2/sync/init/{user}/{session}")]
pub(crate) async fn init(
    state: Data<State>,
    path: Path<(String, String)>,
    query: Query<InitQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let (user, id) = path.into_inner();
    let (Ok(user), Ok(id)) = (user.parse::<UserId>(), id.parse::<SyncId>()) else {
        return Err(SyncError::NoSession.into());
    };
    if !sessions::exists(&state, user.clone(), id.clone()).await? {
        return Err(SyncError::NoSession.into());
    }
    let place = state.places.take().map_err(|_| SyncError::Busy)?;
    let settings = &state.settings;
    let limits = SocketLimits {
        message_bytes: MESSAGE_BYTES,
        queue_bytes: QUEUE_BYTES,
        queue_frames: QUEUE_FRAMES,
        ping: settings.ping,
        idle: settings.idle,
    };
    let subscription = Subscription {
        user,
        id,
        base: Base::of(state.public_url.as_ref(), &request),
        format: query.format.unwrap_or(settings.format),
    };
    let state = Data::clone(&state).into_inner();
    upgrade(&request, limits, move |socket| async move {
        serve(state, subscription, socket).await;
        drop(place);
    })
}
