//! `/v1/sms/receipts/...`: providers over HTTP tell what became of messages.

use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use common::models::{Problem, ProblemKind};
use serde::Deserialize;
use utoipa::{IntoParams, IntoResponses};
use web::Failure;

use crate::domain::provider::callback::{Call, Called, HttpReceipts};
use crate::pipeline::Gateway;
use crate::settings::HttpSettings;
use crate::store::receipts::{Outcome, Receipt};

/// Whose receipt it is.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct BackEnd {
    /// Name of the back end.
    backend: String,
}

/// By what it is known to come from there.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct Shown {
    /// The back end's secret, from the settings.
    secret: String,
}

/// What a provider is answered.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes answers that are made elsewhere")]
enum Answers {
    /// stored, or nothing that matters
    #[response(status = 204)]
    Stored,
    /// no id or no state in it
    #[response(status = 400)]
    Unreadable(Problem),
    /// no such back end, or another secret
    #[response(status = 401)]
    Stranger(Problem),
    /// not stored; to be brought again
    #[response(status = 503)]
    Unstored(Problem),
}

/// Takes a receipt: 204 once it is stored. The secret is in the path.
#[utoipa::path(
    tag = "sms",
    params(BackEnd, Shown),
    request_body(content = String, description = "a form, or a JSON document", content_type = "application/x-www-form-urlencoded"),
    responses(Answers)
)]
#[post("/v1/sms/receipts/{backend}/{secret}")]
pub(crate) async fn receive_with_secret(
    gateway: Data<Gateway>,
    backend: Path<BackEnd>,
    shown: Path<Shown>,
    request: HttpRequest,
    body: Bytes,
) -> Result<HttpResponse, Failure> {
    take(&gateway, (&backend.backend, Some(&shown.secret)), &request, &body).await
}

/// The same with all fields in the query.
#[utoipa::path(tag = "sms", params(BackEnd, Shown), responses(Answers))]
#[get("/v1/sms/receipts/{backend}/{secret}")]
pub(crate) async fn receive_query_with_secret(
    gateway: Data<Gateway>,
    backend: Path<BackEnd>,
    shown: Path<Shown>,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    take(&gateway, (&backend.backend, Some(&shown.secret)), &request, &[]).await
}

/// Takes a receipt: 204 once it is stored. The secret is in the header field that the settings name.
#[utoipa::path(
    tag = "sms",
    params(BackEnd),
    request_body(content = String, description = "a form, or a JSON document", content_type = "application/x-www-form-urlencoded"),
    responses(Answers)
)]
#[post("/v1/sms/receipts/{backend}")]
pub(crate) async fn receive(
    gateway: Data<Gateway>,
    backend: Path<BackEnd>,
    request: HttpRequest,
    body: Bytes,
) -> Result<HttpResponse, Failure> {
    take(&gateway, (&backend.backend, None), &request, &body).await
}

/// The same with all fields in the query.
#[utoipa::path(tag = "sms", params(BackEnd), responses(Answers))]
#[get("/v1/sms/receipts/{backend}")]
pub(crate) async fn receive_query(
    gateway: Data<Gateway>,
    backend: Path<BackEnd>,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    take(&gateway, (&backend.backend, None), &request, &[]).await
}

async fn take(
    gateway: &Gateway,
    (backend, secret): (&str, Option<&str>),
    request: &HttpRequest,
    body: &[u8],
) -> Result<HttpResponse, Failure> {
    let (http, receipts) = caller(gateway, backend, |receipts| match &receipts.header {
        None => secret,
        Some(name) if secret.is_none() => request.headers().get(name)?.to_str().ok(),
        Some(_) => None,
    })
    .ok_or_else(|| {
        let problem = Problem::new(ProblemKind::Unauthenticated);
        Failure::problem(problem.with_detail("the secret of a back end is needed"))
    })?;
    let count =
        |outcome| gateway.metrics.receipts_total.with_label_values(&[http.name.as_str(), outcome]).inc();
    let (message_id, fate, number) = match receipts.read(&Call::new(request.query_string(), body)) {
        Some(Called::Receipt { message_id, fate, number }) => (message_id, fate, number),
        Some(Called::Other) => return Ok(HttpResponse::NoContent().finish()),
        None => {
            count("unreadable");
            tracing::warn!(smsc = %http.name, "a receipt names no message or no state");
            return Err(Failure::invalid("", "a receipt has an id and a state, as the settings name them"));
        }
    };
    let receipt = Receipt {
        parked: None,
        widely: false,
        smsc: http.name.clone(),
        message_id,
        fate,
        recipient: number.and_then(|number| gateway.recipients.hash(&number)),
        received_at: gateway.now(),
    };
    match gateway.outcomes.submit(Outcome::Receipt(receipt)).await {
        Ok(settled) => {
            count(if settled.parked { "parked" } else { "matched" });
            if let Some(waited) = settled.waited {
                let waits = gateway.metrics.receipt_seconds.with_label_values(&[http.name.as_str()]);
                waits.observe(waited.as_secs_f64());
            }
            settled.follow();
            gateway.announcer.announce(&settled.statuses);
            Ok(HttpResponse::NoContent().finish())
        }
        Err(error) => {
            count("refused");
            tracing::warn!(smsc = %http.name, %error, "a receipt cannot be stored now");
            Err(Failure::unavailable("the receipt cannot be stored now"))
        }
    }
}

/// Finds the back end if its secret was shown. The time it takes does not tell how close what was shown comes.
fn caller<'a, 'b>(
    gateway: &'a Gateway,
    backend: &str,
    shown: impl FnOnce(&HttpReceipts) -> Option<&'b str>,
) -> Option<(&'a HttpSettings, &'a HttpReceipts)> {
    let http = gateway.settings.http.iter().find(|http| http.name.as_str() == backend)?;
    let receipts = http.receipts.as_ref()?;
    shown(receipts).is_some_and(|shown| receipts.secret.matches(shown)).then_some((http, receipts))
}
