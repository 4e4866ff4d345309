//! `POST /sms`: SMS for modems.

use actix_web::web::{Bytes, Data};
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError as _, post};
use common::models::gateway::ModemSms;
use common::models::{FieldError, Problem, ProblemKind};
use serde_json::Value;
use web::Failure;

use super::super::basic;
use super::fields::Fields;
use super::refusal::Refusal;
use crate::app::State;
use crate::broker::BrokerError;
use crate::domain::RelayError;
use crate::domain::outgoing::{self, Outgoing};

/// Digits of a number at most; modems dial short codes and national numbers as well.
const MAX_NUMBER: usize = 15;

/// Queues SMS for the caller's own modems. Each element of `data` is queued or named in `errors`: one for an operator that
/// no modem of the caller serves is 422, a broker that is away 503. What is not named in `errors` is queued.
#[utoipa::path(tag = "sms", request_body(content = String, content_type = "application/json",
    description = "`auth_id` (the client's id), `data`: a list of `isp` (the operator), `number`, `text`"),
    responses(
        (status = 200, description = "all are queued, on the broker's disk"),
        (status = 400, description = "`invalid json`, `auth ID missing`, `data missing`"),
        (status = 401), (status = 403, description = "another client's id"),
        (status = 422, body = Problem, description = "`not-all-queued`"),
        (status = 429),
        (status = 503, body = Problem, description = "without RabbitMQ, or while it is away"),
    ), security(("gatewayClient" = [])))]
#[post("/sms")]
pub(crate) async fn send(
    state: Data<State>,
    request: HttpRequest,
    body: Result<Bytes, Error>,
) -> HttpResponse {
    match sent(&state, &request, body).await {
        Ok(None) => HttpResponse::Ok().finish(),
        Ok(Some(failure)) => failure.error_response(),
        Err(refusal) => refusal.into_text(),
    }
}

async fn sent(
    state: &State,
    request: &HttpRequest,
    body: Result<Bytes, Error>,
) -> Result<Option<Failure>, Refusal> {
    let client = basic::caller(state, request).await?;
    let fields = Fields::read(body, "invalid json")?;
    let id = fields.text("auth_id").ok_or_else(|| Refusal::invalid("auth ID missing"))?;
    if id != client.client_id.as_str() {
        return Err(RelayError::OtherClient.into());
    }
    let data = fields.value("data").and_then(Value::as_array).filter(|data| !data.is_empty());
    let data = data.ok_or_else(|| Refusal::invalid("data missing"))?;
    let limit = state.settings.max_outgoing;
    if data.len() > limit {
        return Err(Refusal::invalid(format!("data: {limit} at most")));
    }
    let Some(broker) = &state.broker else {
        let detail = "this installation has no RabbitMQ, through which SMS reach modems (relay.amqp_url)";
        return Ok(Some(Failure::unavailable(detail)));
    };

    let mut errors = Vec::new();
    let mut wanted = Vec::new();
    for (number, element) in data.iter().enumerate() {
        match read(element, state.settings.max_outgoing_chars) {
            Ok(outgoing) => wanted.push((number, outgoing)),
            Err(detail) => errors.push(fault(number, detail)),
        }
    }
    let (numbers, all): (Vec<usize>, Vec<Outgoing>) = wanted.into_iter().unzip();
    let results = outgoing::send(state, broker, &client, all).await?;
    let mut kind = ProblemKind::Unprocessable("not-all-queued");
    for (number, result) in numbers.into_iter().zip(results) {
        match result {
            Ok(()) => {}
            Err(BrokerError::Unroutable) => {
                errors.push(fault(number, "no modem of this client serves the operator"));
            }
            Err(error) => {
                tracing::warn!(client.id = %client.client_id, %error, "an SMS for a modem was not queued");
                kind = ProblemKind::Unavailable;
                errors.push(fault(number, "not known to be queued; try again later"));
            }
        }
    }
    if errors.is_empty() {
        return Ok(None);
    }
    errors.sort_by_key(|(number, _)| *number);
    let problem = Problem::new(kind).with_detail("what is not named in errors is queued");
    Ok(Some(Failure::problem(problem).with_errors(errors.into_iter().map(|(_, error)| error))))
}

fn read(element: &Value, limit: usize) -> Result<Outgoing, String> {
    let text = |name: &str| element.get(name).and_then(Value::as_str);
    let operator = text("isp").or_else(|| text("operator_name")).ok_or("isp missing")?;
    let number = text("number").ok_or("number missing")?.trim();
    let message = text("text").ok_or("text missing")?;
    let digits = number.strip_prefix('+').unwrap_or(number);
    if !(3..=MAX_NUMBER).contains(&digits.len()) || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err("number: 3 to 15 digits, perhaps behind a +".to_owned());
    }
    if !(1..=limit).contains(&message.chars().count()) {
        return Err(format!("text: 1 to {limit} characters"));
    }
    let operator = operator.trim().parse().map_err(|error| format!("isp: {error}"))?;
    Ok(Outgoing { operator, sms: ModemSms { text: message.to_owned(), number: number.to_owned() } })
}

fn fault(number: usize, detail: impl Into<String>) -> (usize, FieldError) {
    (number, FieldError { pointer: format!("/data/{number}"), detail: detail.into() })
}
