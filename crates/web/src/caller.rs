//! Who calls, as extractors: an endpoint without one of these is visibly public.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web::Data};
use common::{
    crypto::jws::Claims,
    models::{AccountId, DeviceId, Problem, ProblemKind, SessionId, UnixMillis},
};

use crate::{Failure, Gate, gate::GateError};

/// Extractor: the account and session of `Authorization: Bearer <access token>`. 401 without a valid one, 503 while the
/// keys are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// The session.
    pub session: SessionId,
    /// The device that the session is bound to.
    pub device: Option<DeviceId>,
    /// When the token was issued; whole seconds.
    pub issued_at: UnixMillis,
    /// When the token expires.
    pub expires_at: UnixMillis,
}

impl From<Claims> for Caller {
    fn from(claims: Claims) -> Self {
        Self {
            account: claims.sub,
            session: claims.sid,
            device: claims.did,
            issued_at: UnixMillis(claims.iat.saturating_mul(1000)),
            expires_at: UnixMillis(claims.exp.saturating_mul(1000)),
        }
    }
}

impl FromRequest for Caller {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller(request).map_err(Failure::from))
    }
}

fn caller(request: &HttpRequest) -> Result<Caller, GateError> {
    let gate = request.app_data::<Data<Gate>>().ok_or(GateError::NotReady)?;
    gate.check(bearer(request).ok_or(GateError::Refused)?)
}

/// Extractor: a caller whose session is bound to a device. 403 `device-required` otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceCaller {
    /// The device.
    pub device: DeviceId,
    /// The rest.
    pub caller: Caller,
}

impl FromRequest for DeviceCaller {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = caller(request).map_err(Failure::from).and_then(|caller| {
            let problem = || {
                Problem::new(ProblemKind::Forbidden("device-required"))
                    .with_detail("the session is not bound to a device")
            };
            let device = caller.device.ok_or_else(|| Failure::problem(problem()))?;
            Ok(Self { device, caller })
        });
        ready(found)
    }
}

/// Returns the credential of `Authorization: Bearer` (RFC 6750 §2.1).
pub fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credential) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim_start())
}
