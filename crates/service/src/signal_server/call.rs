//! What a handler of the interface takes: who calls, and with which body.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::web::{Bytes, Data};
use actix_web::{Error, FromRequest, HttpRequest};
use common::crypto::jws::SignalServerClaims;
use common::models::{AccountId, SessionId, SignalServerId};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use serde_json::Value;
use web::{ClientAddr, Gate, GateError};

use super::{Refusal, Throttles, body};

/// Who shows a token of this interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// The session.
    pub session: SessionId,
}

/// Extractor: a request that has been read and not judged. A handler asks it who calls first, as the original does:
/// what the client wants to read (406), its token (401), how often it calls (429), and only then the rest.
pub struct Call {
    request: HttpRequest,
    body: Result<Bytes, Error>,
}

impl fmt::Debug for Call {
    /// Neither body nor headers: both may have a secret in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("method", self.request.method()).finish_non_exhaustive()
    }
}

impl Call {
    /// Tells who calls; nobody gets past this without a token.
    ///
    /// # Errors
    /// 406, 401, 429; 503 while tokens cannot be judged.
    pub fn caller(&self) -> Result<Caller, Refusal> {
        self.acceptable()?;
        let caller = self
            .shown()?
            .ok_or_else(|| Refusal::unauthorized("Authentication credentials were not provided."))?;
        self.throttles()?.account(caller.account)?;
        Ok(caller)
    }

    /// Lets anybody in; but a token that is shown must be good.
    ///
    /// # Errors
    /// Those of [`Call::caller`].
    pub fn anybody(&self) -> Result<Option<Caller>, Refusal> {
        self.acceptable()?;
        let caller = self.shown()?;
        match caller {
            Some(caller) => self.throttles()?.account(caller.account)?,
            None => self.throttles()?.anonymous(self.network())?,
        }
        Ok(caller)
    }

    /// Lets anybody in, and looks at no token.
    ///
    /// # Errors
    /// 406, 429.
    pub fn stranger(&self) -> Result<(), Refusal> {
        self.acceptable()?;
        Ok(self.throttles()?.anonymous(self.network())?)
    }

    /// Gives what stands for the client when it is counted.
    #[must_use]
    pub fn network(&self) -> IpAddr {
        let client = ClientAddr::extract(&self.request).into_inner();
        client.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), ClientAddr::network)
    }

    /// Gives the request, for its path.
    #[must_use]
    pub fn request(&self) -> &HttpRequest {
        &self.request
    }

    /// Gives the caller's own registration id, which the path has as `{registration_id}`, in digits; none for a number that
    /// no device can have.
    #[must_use]
    pub fn registration_id(&self) -> Option<SignalServerId> {
        let digits = self.request.match_info().get("registration_id")?.trim_start_matches('0');
        if digits.is_empty() { SignalServerId::new(0).ok() } else { digits.parse().ok() }
    }

    /// Gives the body; none when it is empty.
    ///
    /// # Errors
    /// 413, 415, 400.
    pub async fn body(self) -> Result<Option<Value>, Refusal> {
        body::read(&self.request, self.body).await
    }

    /// Gives the throttles of the process, for what is counted beside calls.
    ///
    /// # Errors
    /// 503, when a service has left them out.
    pub fn throttles(&self) -> Result<&Throttles, Refusal> {
        self.request.app_data::<Data<Throttles>>().map(|throttles| &***throttles).ok_or_else(|| {
            tracing::error!("the throttles of signal_server are missing");
            Refusal::detail(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
        })
    }

    /// Reads `Authorization`. Another scheme than `Bearer` is as good as none.
    fn shown(&self) -> Result<Option<Caller>, Refusal> {
        let header = self.request.headers().get(header::AUTHORIZATION);
        let text = header.map(|value| String::from_utf8_lossy(value.as_bytes())).unwrap_or_default();
        let mut parts = text.split_ascii_whitespace();
        if !parts.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer")) {
            return Ok(None);
        }
        let token = match (parts.next(), parts.next()) {
            (Some(token), None) => token,
            (None, _) => {
                return Err(Refusal::unauthorized("Invalid Authorization header. No credentials provided."));
            }
            (Some(_), Some(_)) => {
                let text = "Invalid Authorization header. Credentials string should not contain spaces.";
                return Err(Refusal::unauthorized(text));
            }
        };
        let gate = self.request.app_data::<Data<Gate>>();
        match gate.map_or(Err(GateError::NotReady), |gate| gate.check_as::<SignalServerClaims>(token)) {
            Ok(caller) => Ok(Some(Caller { account: caller.account, session: caller.session })),
            Err(GateError::Refused) => Err(Refusal::unauthorized("Error decoding signature.")),
            Err(error @ GateError::NotReady) => Err(Refusal::of(&error)),
        }
    }

    /// Everything here is JSON; who asks for a page gets it too, as a browser does.
    fn acceptable(&self) -> Result<(), Refusal> {
        let mut asked = self.request.headers().get_all(header::ACCEPT).peekable();
        let takes = |range: &str| {
            let range = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            matches!(
                range.as_str(),
                "" | "*/*" | "application/*" | "application/json" | "text/*" | "text/html"
            )
        };
        if asked.peek().is_none()
            || asked.any(|value| value.to_str().is_ok_and(|list| list.split(',').any(takes)))
        {
            return Ok(());
        }
        let text = "Could not satisfy the request Accept header.";
        Err(Refusal::detail(StatusCode::NOT_ACCEPTABLE, text))
    }
}

impl FromRequest for Call {
    type Error = Infallible;
    type Future = LocalBoxFuture<'static, Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let read = Bytes::from_request(request, payload);
        let request = request.clone();
        read.map(|body| Ok(Self { request, body })).boxed_local()
    }
}
