//! Which back-end calls, by its API key.

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use common::models::{Problem, ProblemKind};
use futures_util::future::{Ready, ready};
use web::{ClientAddr, Failure, Rule, bearer};

use crate::app::State;
use crate::settings::Scope;

/// Extractor: the back-end of `Authorization: Bearer <API key>`. 401 otherwise.
pub(crate) struct KeyCaller(pub(crate) Scope);

impl FromRequest for KeyCaller {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller(request))
    }
}

fn caller(request: &HttpRequest) -> Result<KeyCaller, Failure> {
    let state = request.app_data::<Data<State>>().ok_or_else(|| Failure::internal("no state"))?;
    let key = bearer(request);
    match key.and_then(|key| state.settings.auth_keys.scope(key)) {
        Some(scope) => Ok(KeyCaller(scope.clone())),
        None => {
            if key.is_some() {
                count_guess(state, request)?;
            }
            let problem = Problem::new(ProblemKind::Unauthenticated);
            Err(Failure::problem(problem.with_detail("a valid API key is needed")))
        }
    }
}

/// Counts a wrong key by where it comes from.
pub(super) fn count_guess(state: &State, request: &HttpRequest) -> Result<(), web::RateLimited> {
    match ClientAddr::from_request(request, &mut Payload::None).into_inner() {
        Ok(client) => state.limits.take(Rule::NotifyTokenAddress, client.network()),
        Err(_) => Ok(()),
    }
}
