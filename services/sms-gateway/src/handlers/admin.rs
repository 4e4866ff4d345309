//! What operators see and do, on the internal listener, by `Authorization: Bearer <internal.admin_token>`. What they do,
//! and which client's messages they look up, is in the audit log.

pub(crate) mod attempts;
pub(crate) mod audit;
pub(crate) mod binds;
pub(crate) mod opt_outs;
pub(crate) mod quotas;
pub(crate) mod reload;

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use web::{AdminCaller, ClientAddr, Failure};

use crate::domain::audit::Act;

/// Names the person behind the one token that operators share; nobody proves it.
const NAME: &str = "X-Operator";
/// Longest such name.
const LONGEST: usize = 64;

/// Extractor: an operator. 401 otherwise.
pub(crate) struct Operator(String);

impl FromRequest for Operator {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(operator(request, payload))
    }
}

fn operator(request: &HttpRequest, payload: &mut Payload) -> Result<Operator, Failure> {
    AdminCaller::from_request(request, payload).into_inner()?;
    let address = ClientAddr::from_request(request, payload).into_inner()?;
    let name = request.headers().get(NAME).map(|name| name.to_str().unwrap_or_default());
    let fits = |name: &str| (1..=LONGEST).contains(&name.len()) && !name.chars().any(char::is_control);
    match name {
        Some(name) if fits(name) => Ok(Operator(format!("{name} at {}", address.0))),
        Some(_) => Err(Failure::invalid(NAME, "expected 1 to 64 printable characters of ASCII")),
        None => Ok(Operator(format!("operator at {}", address.0))),
    }
}

impl Operator {
    /// Says what was done.
    pub(crate) fn act(self, action: &'static str, target: String) -> Act {
        Act { actor: self.0, action, target }
    }
}
