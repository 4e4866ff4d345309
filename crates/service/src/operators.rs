//! Who operators are, and the log of what they do: one shape in every service that they ask something of.
//!
//! In: a request with the token that operators share. Out: an [`Operator`], whose [`Act`] the service stores with
//! [`AuditTable::add`] in the transaction of what it tells of. What must hold: an entry is there if and only if the
//! change is, and each covers all before it, so that one that was changed or removed later shows.

mod chain;
mod log;
mod masked;

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use web::{AdminCaller, ClientAddr, Failure};

pub use self::log::{AuditEntry, AuditPage, AuditTable};
pub use self::masked::masked;

/// Names the person behind the one token that operators share; nobody proves it.
const NAME: &str = "X-Operator";
/// Longest such name.
const LONGEST: usize = 64;

/// Something that an operator did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Who, as far as the request tells.
    pub actor: String,
    /// What: `bind.pause`, `accounts.block`.
    pub action: &'static str,
    /// To what; without content, and without an address or a number in full.
    pub target: String,
}

/// Extractor: an operator, on the internal listener. 401 otherwise.
#[derive(Clone, Debug)]
pub struct Operator(String);

impl FromRequest for Operator {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let admitted = AdminCaller::from_request(request, payload).into_inner();
        ready(admitted.and_then(|_| Self::admitted(request)))
    }
}

impl Operator {
    /// Names the operator who sent a request, whose credential was checked in another way.
    ///
    /// # Errors
    /// 400 when the name in `X-Operator` is none.
    pub fn admitted(request: &HttpRequest) -> Result<Self, Failure> {
        let address = ClientAddr::from_request(request, &mut Payload::None).into_inner()?;
        let name = request.headers().get(NAME).map(|name| name.to_str().unwrap_or_default());
        let fits = |name: &str| (1..=LONGEST).contains(&name.len()) && !name.chars().any(char::is_control);
        match name {
            Some(name) if fits(name) => Ok(Self(format!("{name} at {}", address.0))),
            Some(_) => Err(Failure::invalid(NAME, "expected 1 to 64 printable characters of ASCII")),
            None => Ok(Self(format!("operator at {}", address.0))),
        }
    }

    /// Says what was done.
    #[must_use]
    pub fn act(self, action: &'static str, target: String) -> Act {
        Act { actor: self.0, action, target }
    }
}
