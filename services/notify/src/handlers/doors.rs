//! `/v1/notify/ws` and `/v1/notify/sse`: where clients come in. Frames and events are in `proto/notify.md`.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse, get};
use common::models::Problem;
use web::ws::{SocketLimits, upgrade};
use web::{ClientAddr, Failure, Shutdown, bearer};

use super::bodies::EventsQuery;
use crate::app::State;
use crate::delivery::{self, Joining};
use crate::domain::NotifyError;

/// Room for what a client sends: tokens, names of channels.
const MESSAGE_BYTES: usize = 16 * 1024;

/// Connects a client. It joins channels by its first frames.
#[utoipa::path(tag = "doors", responses(
    (status = 101, description = "frames and close codes: `proto/notify.md`"),
    (status = 400, body = Problem, description = "not a websocket handshake"),
    (status = 503, body = Problem),
))]
#[get("/v1/notify/ws")]
pub(crate) async fn websocket(
    state: Data<State>,
    client: ClientAddr,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let settings = &state.settings;
    let limits = SocketLimits {
        message_bytes: MESSAGE_BYTES,
        // What waits for the client, or a page of the history; and what surrounds the data.
        queue_bytes: settings.client_bytes.max(settings.page_bytes + settings.max_data_bytes)
            + settings.client_messages.max(settings.page) * 512,
        queue_frames: settings.client_messages.max(settings.page) + 16,
        ping: settings.ping,
        idle: settings.idle,
    };
    let (state, network) = (Data::clone(&state).into_inner(), client.network());
    upgrade(&request, limits, move |socket| delivery::serve(state, network, socket))
}

/// Opens an event stream of the channel that a token opens, from the header `Authorization: Bearer`, or from the query.
#[utoipa::path(tag = "doors",
    params(EventsQuery, ("Last-Event-ID" = Option<String>, Header, description = "where to resume: the id of an event")),
    responses(
        (status = 200, description = "events: `proto/notify.md`", content_type = "text/event-stream", body = String),
        (status = 400, body = Problem),
        (status = 401, body = Problem),
        (status = 429, body = Problem),
        (status = 503, body = Problem),
    ))]
#[get("/v1/notify/sse")]
pub(crate) async fn events(
    state: Data<State>,
    client: ClientAddr,
    query: Query<EventsQuery>,
    request: HttpRequest,
    shutdown: Shutdown,
) -> Result<HttpResponse, Failure> {
    let EventsQuery { token, mut offset, mut epoch, presence } = query.into_inner();
    let token = bearer(&request).map(ToOwned::to_owned).or(token).ok_or(NotifyError::TokenRefused)?;
    if let Some(id) = request.headers().get("last-event-id") {
        let place = id.to_str().ok().and_then(delivery::read_event_id);
        let (last, life) =
            place.ok_or_else(|| Failure::invalid("Last-Event-ID", "not the id of an event"))?;
        (offset, epoch) = (Some(last), Some(life));
    }
    let joining = Joining { token, offset, epoch, presence };
    let state = Data::clone(&state).into_inner();
    let events = delivery::stream(state, joining, client.network(), shutdown).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        // Proxies of the nginx family would hold events back otherwise.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(events))
}
