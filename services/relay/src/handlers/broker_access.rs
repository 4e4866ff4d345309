//! `/v1/relay/rabbitmq`: what RabbitMQ asks about its users (`rabbitmq_auth_backend_http`). It has no credential of its own,
//! so it asks on the internal listener, or from the addresses that the settings name.

use actix_web::dev::Payload;
use actix_web::web::{Bytes, Data, Path};
use actix_web::{FromRequest, HttpRequest, HttpResponse, get, post};
use common::models::{Problem, ProblemKind};
use url::form_urlencoded;
use web::{ClientAddr, Failure};

use crate::app::State;
use crate::domain::access::{self, Question};

/// Marks the internal listener.
#[derive(Clone, Copy)]
pub(crate) struct InternalListener;

/// Answers a question about a user (`user`, `vhost`, `resource`, `topic`): `allow` or `deny`.
#[utoipa::path(tag = "rabbitmq", params(("question" = String, Path, description = "`user`, `vhost`, `resource` or `topic`; \
    its parameters are those of the plugin, as a query")),
    responses(
        (status = 200, body = String, description = "`allow` or `deny`", content_type = "text/plain"),
        (status = 404, body = Problem, description = "also for callers from anywhere else"),
        (status = 503, body = Problem),
    ))]
#[get("/v1/relay/rabbitmq/{question}")]
pub(crate) async fn get(
    state: Data<State>,
    request: HttpRequest,
    question: Path<String>,
) -> Result<HttpResponse, Failure> {
    answer(&state, &request, &question, request.query_string().as_bytes()).await
}

/// Answers the same to a form.
#[utoipa::path(tag = "rabbitmq", params(("question" = String, Path, description = "as above; its parameters are a form")),
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = String, description = "`allow` or `deny`", content_type = "text/plain"),
        (status = 404, body = Problem, description = "also for callers from anywhere else"),
        (status = 503, body = Problem),
    ))]
#[post("/v1/relay/rabbitmq/{question}")]
pub(crate) async fn post(
    state: Data<State>,
    request: HttpRequest,
    question: Path<String>,
    body: Bytes,
) -> Result<HttpResponse, Failure> {
    answer(&state, &request, &question, &body).await
}

async fn answer(
    state: &State,
    request: &HttpRequest,
    question: &str,
    form: &[u8],
) -> Result<HttpResponse, Failure> {
    let nothing = || {
        let problem = Problem::new(ProblemKind::NotFound("no-such-route"));
        Failure::problem(problem.with_detail("there is nothing at this path"))
    };
    if !may_ask(state, request) {
        return Err(nothing());
    }
    let fields: Vec<(String, String)> = form_urlencoded::parse(form).into_owned().collect();
    let field = |name: &str| {
        let found = fields.iter().find(|(given, _)| given == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    let user = field("username");
    let about = match question {
        "user" => None,
        "vhost" => Some(Question::Vhost),
        "resource" => Some(Question::Resource {
            kind: field("resource"),
            name: field("name"),
            permission: field("permission"),
        }),
        "topic" => Some(Question::Topic {
            exchange: field("name"),
            permission: field("permission"),
            routing_key: field("routing_key"),
        }),
        _ => return Err(nothing()),
    };
    let allowed = match about {
        None => access::may_connect(state, user, field("password")).await?,
        Some(question) => access::may(state, user, field("vhost"), question).await?,
    };
    let answer = if allowed { "allow" } else { "deny" };
    state.metrics.broker_questions_total.with_label_values(&[answer]).inc();
    Ok(HttpResponse::Ok().content_type("text/plain").body(answer))
}

fn may_ask(state: &State, request: &HttpRequest) -> bool {
    if request.app_data::<InternalListener>().is_some() {
        return true;
    }
    let from = ClientAddr::from_request(request, &mut Payload::None).into_inner();
    from.is_ok_and(|ClientAddr(address)| {
        state.settings.rabbitmq_public_from.iter().any(|block| block.contains(address))
    })
}
