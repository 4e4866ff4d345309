//! Callers on the internal listener: other services, and operators.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Data};
use common::{crypto::Secret, models::Problem, models::ProblemKind};

use crate::{Failure, caller::bearer};

/// The credentials of `[internal]`. One that is not set lets nobody in.
#[derive(Debug)]
pub(crate) struct Credentials {
    service: Option<Secret<String>>,
    admin: Option<Secret<String>>,
}

impl Credentials {
    pub(crate) fn new(service: Option<Secret<String>>, admin: Option<Secret<String>>) -> Self {
        let set = |secret: &Secret<String>| !secret.is_empty();
        Self { service: service.filter(set), admin: admin.filter(set) }
    }
}

/// Extractor: another service, by `Authorization: Bearer <internal.token>`. 401 otherwise, and always on the public
/// listener.
#[derive(Clone, Copy, Debug)]
pub struct InternalCaller(());

/// Extractor: an operator, by `Authorization: Bearer <internal.admin_token>`. 401 otherwise, and always on the public
/// listener.
#[derive(Clone, Copy, Debug)]
pub struct AdminCaller(());

impl FromRequest for InternalCaller {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(matches(request, |credentials| credentials.service.as_ref()).map(|()| Self(())))
    }
}

impl FromRequest for AdminCaller {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(matches(request, |credentials| credentials.admin.as_ref()).map(|()| Self(())))
    }
}

fn matches(
    request: &HttpRequest,
    pick: impl Fn(&Credentials) -> Option<&Secret<String>>,
) -> Result<(), Failure> {
    let credentials = request.app_data::<Data<Credentials>>();
    match (credentials.and_then(|credentials| pick(credentials)), bearer(request)) {
        (Some(secret), Some(given)) if secret.matches(given) => Ok(()),
        _ => Err(Failure::problem(
            Problem::new(ProblemKind::Unauthenticated).with_detail("a valid internal credential is needed"),
        )),
    }
}
