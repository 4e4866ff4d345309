//! `/v1/websocket`: delivery as it happens. The frames are in `proto/ws.md`.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use actix_web::web::{Data, Query};
use actix_web::{FromRequest, HttpRequest, HttpResponse, get, post};
use common::models::Problem;
use web::ws::{SocketLimits, upgrade};
use web::{DeviceCaller, Failure};

use super::bodies::{ConnectQuery, TicketAnswer};
use crate::app::State;
use crate::delivery;
use crate::domain::tickets;

/// The one subprotocol there is.
const JSON: &str = "json.v1";

/// Room for answers and small requests; a client has nothing large to send here.
const MESSAGE_BYTES: usize = 64 * 1024;

/// Makes a ticket for one websocket of the caller's device, and voids an earlier ticket of it.
#[utoipa::path(tag = "messages", responses(
    (status = 201, body = TicketAnswer),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`device-required`"),
    (status = 503, body = Problem),
), security(("session" = [])))]
#[post("/v1/websocket/ticket")]
pub(crate) async fn issue_ticket(state: Data<State>, caller: DeviceCaller) -> Result<HttpResponse, Failure> {
    let ticket = tickets::issue(&state, caller).await?;
    let expires_in = state.settings.ticket_ttl.as_secs();
    let answer = TicketAnswer { ticket: ticket.expose(), expires_in };
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(answer))
}

/// Connects a device, and displaces an earlier connection of it: the caller's, or that of the ticket.
#[utoipa::path(tag = "messages", params(ConnectQuery), responses(
    (status = 101, description = "frames and close codes: `proto/ws.md`"),
    (status = 400, body = Problem, description = "not a websocket handshake"),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`device-required`"),
    (status = 503, body = Problem),
), security(("session" = []), ()))]
#[get("/v1/websocket")]
pub(crate) async fn connect(
    state: Data<State>,
    query: Query<ConnectQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let caller = match &query.ticket {
        Some(ticket) => tickets::redeem(&state, ticket).await?,
        None => DeviceCaller::extract(&request).await?,
    };
    let settings = &state.settings;
    let limits = SocketLimits {
        message_bytes: MESSAGE_BYTES,
        // A full window in base64, the envelope that may exceed it, and what surrounds the contents.
        queue_bytes: (settings.window_bytes + settings.max_content_bytes) / 3 * 4 + settings.window * 1024,
        queue_frames: settings.window + 256,
        ping: settings.ping,
        idle: settings.idle,
    };
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).filter_map(|value| value.to_str().ok());
    let speaks_json = offered.flat_map(|value| value.split(',')).any(|name| name.trim() == JSON);
    let session = Data::clone(&state).into_inner();
    let mut response = upgrade(&request, limits, move |socket| delivery::serve(session, caller, socket))?;
    if speaks_json {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(JSON));
    }
    Ok(response)
}
