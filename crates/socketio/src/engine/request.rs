//! What a request asks for, and how it is refused.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::dev::Payload as NoBody;
use actix_web::http::{Method, StatusCode, header};
use actix_web::web::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use url::form_urlencoded;
use web::{ClientAddr, Failure, Shutdown};

use super::{Engine, Link, Protocol, polling, websocket};
use crate::session::engine::Refusal;
use crate::sid::Sid;

/// Why a request is refused (Engine.IO's codes).
#[derive(Debug)]
pub enum Refused {
    /// 0: `transport` is missing or unknown.
    UnknownTransport,
    /// 1: there is no such session.
    UnknownSession,
    /// 2: a session is opened with GET.
    BadMethod,
    /// 3: the transport is not that of the session, or anything else is wrong.
    BadRequest,
    /// 4: the application does not let the client in; why.
    Forbidden(String),
    /// 5: this server speaks revision 4.
    UnsupportedVersion,
    /// A body over the limit.
    TooLarge,
    /// Refused by the server that hosts this one: no room, or it is stopping.
    Host(Box<Failure>),
}

impl Refused {
    pub(super) fn respond(self) -> HttpResponse {
        let (status, code, message) = match &self {
            Self::UnknownTransport => (StatusCode::BAD_REQUEST, 0, "Transport unknown"),
            Self::UnknownSession => (StatusCode::BAD_REQUEST, 1, "Session ID unknown"),
            Self::BadMethod => (StatusCode::BAD_REQUEST, 2, "Bad handshake method"),
            Self::BadRequest => (StatusCode::BAD_REQUEST, 3, "Bad request"),
            Self::Forbidden(why) => (StatusCode::FORBIDDEN, 4, why.as_str()),
            Self::UnsupportedVersion => (StatusCode::BAD_REQUEST, 5, "Unsupported protocol version"),
            Self::TooLarge => return HttpResponse::PayloadTooLarge().finish(),
            Self::Host(failure) => return failure.error_response(),
        };
        HttpResponse::build(status).json(json!({ "code": code, "message": message }))
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Ended => Self::UnknownSession,
            Refusal::OtherTransport | Refusal::Second => Self::BadRequest,
        }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Host(Box::new(failure))
    }
}

#[derive(Default)]
struct Query {
    revision_4: bool,
    polling: bool,
    websocket: bool,
    sid: Option<String>,
}

impl Query {
    /// Reads what a query string says; of a parameter that comes twice the first counts, as with the reference.
    fn read(query: &str) -> Self {
        let first = |wanted: &str| {
            let found = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted);
            found.map(|(_, value)| value)
        };
        let transport = first("transport");
        Self {
            revision_4: first("EIO").as_deref() == Some("4"),
            polling: transport.as_deref() == Some("polling"),
            websocket: transport.as_deref() == Some("websocket"),
            sid: first("sid").map(Into::into),
        }
    }
}

/// Who opens a session.
pub(super) struct Opening {
    pub(super) peer: Option<IpAddr>,
    /// Tells when the process stops; none where another server hosts this one.
    pub(super) stop: Option<CancellationToken>,
}

pub(super) async fn serve<P: Protocol>(
    engine: &Arc<Engine<P>>,
    request: &HttpRequest,
    body: Payload,
) -> Result<HttpResponse, Refused> {
    let query = Query::read(request.query_string());
    let upgrades = request.headers().contains_key(header::UPGRADE);
    if !query.polling && !query.websocket {
        return Err(Refused::UnknownTransport);
    }
    match &query.sid {
        Some(sid) => {
            let link = Sid::read(sid).and_then(|sid| engine.table.get(sid)).ok_or(Refused::UnknownSession)?;
            if query.websocket && upgrades {
                return websocket::attach(&link, request);
            }
            match *request.method() {
                _ if query.websocket || upgrades => Err(Refused::BadRequest),
                Method::GET => polling::poll(&link).await,
                Method::POST => polling::post(&link, request, body).await,
                _ => Err(Refused::BadRequest),
            }
        }
        None if request.method() != Method::GET => Err(Refused::BadMethod),
        None if query.websocket != upgrades => Err(Refused::BadRequest),
        None if !query.revision_4 => Err(Refused::UnsupportedVersion),
        None => open(engine, request, query.websocket).await,
    }
}

async fn open<P: Protocol>(
    engine: &Arc<Engine<P>>,
    request: &HttpRequest,
    on_websocket: bool,
) -> Result<HttpResponse, Refused> {
    engine.protocol.admit(request).map_err(Refused::Forbidden)?;
    let peer = ClientAddr::from_request(request, &mut NoBody::None).await.ok().map(|address| address.0);
    let stop = Shutdown::from_request(request, &mut NoBody::None).await.ok().map(|shutdown| shutdown.token());
    if !Link::has_room(engine) || stop.as_ref().is_some_and(CancellationToken::is_cancelled) {
        return Err(Failure::unavailable("no more sessions are opened at the moment").into());
    }
    let opening = Opening { peer, stop };
    if on_websocket { websocket::open(engine, request, opening) } else { polling::open(engine, opening) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_by_names() {
        let query = Query::read("t=abc&EIO=4&transport=polling&sid=a%2Db&transport=websocket");

        assert!(query.revision_4 && query.polling && !query.websocket);
        assert_eq!(query.sid.as_deref(), Some("a-b"));
        let query = Query::read("EIO=44&transport=WebSocket");
        assert!(!query.revision_4 && !query.polling && !query.websocket && query.sid.is_none());
    }
}
