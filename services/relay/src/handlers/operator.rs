//! Operators, on either listener: whoever puts up a gateway client in the field does it from outside.

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use common::models::{Problem, ProblemKind};
use futures_util::future::{Ready, ready};
use service::operators::{self, Act};
use web::{ClientAddr, Failure, Rule, bearer};

use crate::app::State;

/// Extractor: an operator, by `Authorization: Bearer <internal.admin_token>`. 401 otherwise; wrong ones are counted by address,
/// the right one is admitted whatever came before it.
pub(crate) struct Operator(operators::Operator);

impl Operator {
    /// Says what was done.
    pub(crate) fn act(self, action: &'static str, target: String) -> Act {
        self.0.act(action, target)
    }
}

impl FromRequest for Operator {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(operator(request))
    }
}

fn operator(request: &HttpRequest) -> Result<Operator, Failure> {
    let state = request.app_data::<Data<State>>().ok_or_else(|| Failure::internal("no state"))?;
    let expected = state.platform.settings.internal.admin_token.as_ref().filter(|token| !token.is_empty());
    let given = bearer(request);
    if let (Some(expected), Some(given)) = (expected, given)
        && expected.matches(given)
    {
        return operators::Operator::admitted(request).map(Operator);
    }
    if given.is_some() {
        let client = ClientAddr::from_request(request, &mut Payload::None).into_inner()?;
        state.limits.take(Rule::OperatorAddress, client.network())?;
    }
    let problem = Problem::new(ProblemKind::Unauthenticated);
    Err(Failure::problem(problem.with_detail("the credential of an operator is needed")))
}
