//! Who calls: a client, by its API key.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use common::models::sms::ClientId;
use common::models::{Problem, ProblemKind};
use web::{Failure, bearer};

use crate::pipeline::Gateway;

/// Extractor: the client of `Authorization: Bearer <API key>`. 401 otherwise.
pub(crate) struct KeyCaller(pub(crate) ClientId);

impl FromRequest for KeyCaller {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let client = request.app_data::<Data<Gateway>>().and_then(|gateway| {
            let key = bearer(request)?;
            gateway.settings.http_keys.client(key).cloned()
        });
        ready(client.map(Self).ok_or_else(|| {
            Failure::problem(
                Problem::new(ProblemKind::Unauthenticated).with_detail("a valid API key is needed"),
            )
        }))
    }
}
