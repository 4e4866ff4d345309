//! `POST /v1/sms`: a request, onto the bus.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use bus::{BusError, Record};
use common::models::problem::AsProblem;
use common::models::sms::{ClientId, CorrelId, RequestError, SmsClass, SmsRequest, parse_deadline};
use common::models::{Problem, ProblemKind};
use serde::Serialize;
use serde_json::value::RawValue;
use telemetry::{RequestContext, TraceContext};
use utoipa::ToSchema;
use web::{Failure, Json};

use super::key::KeyCaller;
use crate::pipeline::Gateway;

/// What was taken.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Accepted {
    /// The tenant.
    client_id: ClientId,
    /// The tenant's own id of the request; its statuses carry it.
    correl_id: CorrelId,
}

/// A request as records of `send-sms` have it. Unknown fields are ignored, numbers and booleans taken as their text.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
#[expect(dead_code, reason = "describes a body that is read with the tolerance of the records")]
pub(crate) struct SmsBody {
    /// The tenant; if given, the one that the key belongs to.
    client_id: Option<String>,
    /// The tenant's own id of the request.
    correl_id: String,
    /// When it is too late to send: RFC 3339.
    deadline: String,
    /// Base64 of the encrypted message.
    payload: String,
    /// `bulk` (default), `otp` or `alert`.
    class: Option<String>,
}

/// Takes a request: 202 once it is durable on the bus. What becomes of it is told by statuses.
#[utoipa::path(
    tag = "sms",
    request_body = SmsBody,
    security(("apiKey" = [])),
    responses(
        (status = 202, description = "durable on the bus", body = Accepted),
        (status = 400, description = "not a request", body = Problem),
        (status = 401, description = "no valid API key", body = Problem),
        (status = 403, description = "`client-mismatch`: the key belongs to another client", body = Problem),
        (status = 413, description = "too large", body = Problem),
        (status = 415, description = "not JSON", body = Problem),
        (status = 503, description = "the bus does not answer; nothing may have been taken", body = Problem),
    )
)]
#[post("/v1/sms")]
pub(crate) async fn send(
    caller: KeyCaller,
    gateway: Data<Gateway>,
    body: Json<Box<RawValue>>,
) -> Result<HttpResponse, Failure> {
    let request = read(body.get(), &caller.0)?;
    let value = serde_json::to_vec(&request).map_err(Failure::internal)?;
    let SmsRequest { client_id, correl_id, .. } = request;
    let mut record =
        Record::new(gateway.settings.topics.send.as_str(), format!("{client_id}:{correl_id}"), value);
    let trace = RequestContext::current().map(|context| context.trace);
    if let Some(trace) = trace {
        record = record.header(TraceContext::HEADER, trace.to_string());
    }
    gateway.producer.send(vec![record]).await.map_err(NotTaken)?;
    if let Some(trace) = trace {
        let (client, correl) = (client_id.as_str(), correl_id.as_str());
        telemetry::follow!(trace, client.id = client, correl.id = correl, "an SMS request is on the bus");
    }
    Ok(HttpResponse::Accepted().json(Accepted { client_id, correl_id }))
}

/// Reads a body with the tolerance of records, but refuses at once what could only become a dead letter or INVALID for
/// its form.
fn read(body: &str, caller: &ClientId) -> Result<SmsRequest, Failure> {
    let request = SmsRequest::parse_of(body.as_bytes(), Some(caller)).map_err(|error| match error {
        RequestError::CorrelIdMissing => Failure::invalid("/correl-id", error.to_string()),
        RequestError::IdNotStorable => Failure::invalid("/correl-id", error.to_string()),
        RequestError::ClientIdMissing => Failure::invalid("/client-id", error.to_string()),
        RequestError::Unparsable => {
            Failure::invalid("", "not an object whose fields are texts, numbers and booleans")
        }
    })?;
    if request.client_id != *caller {
        let problem = Problem::new(ProblemKind::Forbidden("client-mismatch"));
        return Err(Failure::problem(problem.with_detail("the API key belongs to another client")));
    }
    if request.payload.is_none() {
        return Err(Failure::invalid("/payload", "payload is missing"));
    }
    let Some(deadline) = request.deadline.as_deref() else {
        return Err(Failure::invalid("/deadline", "deadline is missing"));
    };
    parse_deadline(deadline).map_err(|error| Failure::invalid("/deadline", error.to_string()))?;
    if let Some(Err(error)) = request.class.as_deref().map(str::parse::<SmsClass>) {
        return Err(Failure::invalid("/class", error.to_string()));
    }
    Ok(request)
}

/// The bus did not confirm.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct NotTaken(BusError);

impl AsProblem for NotTaken {
    fn kind(&self) -> ProblemKind {
        match self.0 {
            BusError::TooLarge { .. } => ProblemKind::TooLarge,
            BusError::Unavailable { .. } | BusError::Timeout | BusError::Closed => ProblemKind::Unavailable,
            BusError::Settings(_) | BusError::Locked { .. } => ProblemKind::Internal,
        }
    }
}
