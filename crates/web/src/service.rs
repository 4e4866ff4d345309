//! What a service hands to the server that hosts it.

use std::{fmt, sync::Arc};

use actix_web::App;
use actix_web::http::StatusCode;
use futures_util::future::BoxFuture;
use prometheus::Registry;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{PathItem, RefOr};
use utoipa_actix_web::{AppExt, service_config::ServiceConfig};

use crate::front::Page;
use crate::health::Check;

/// Adds a service's routes to an application; run once per worker thread and listener.
pub type RoutesFn = Arc<dyn Fn(&mut ServiceConfig<'_>) + Send + Sync>;

/// Any error, as a task may end with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A service without listeners of its own: what [`Server`](crate::Server) hosts, alone or beside others.
pub struct Service {
    /// Name of the service: `mailbox`, `sms-gateway`.
    pub name: &'static str,
    /// Routes of the public listener.
    pub routes: RoutesFn,
    /// Routes of the internal listener.
    pub internal: RoutesFn,
    /// Pages for people, on the public listener.
    pub pages: Vec<Page>,
    /// Tasks that run for as long as the process does.
    pub tasks: Vec<Task>,
    /// Dependencies without which the service is not ready.
    pub checks: Vec<Arc<dyn Check>>,
    /// The service's series. On `/metrics` each gets the label `service`.
    pub metrics: Registry,
}

impl Service {
    /// Makes a service without routes, tasks and checks; set the fields it has.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            routes: routes(|_| {}),
            internal: routes(|_| {}),
            pages: Vec::new(),
            tasks: Vec::new(),
            checks: Vec::new(),
            metrics: Registry::new(),
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Service").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Wraps a function that adds routes.
pub fn routes(configure: impl Fn(&mut ServiceConfig<'_>) + Send + Sync + 'static) -> RoutesFn {
    Arc::new(configure)
}

type Run = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, Result<(), BoxError>> + Send>;

/// A background task. It runs until the token is cancelled; one that ends earlier, well or not, ends the process.
pub struct Task {
    pub(crate) name: &'static str,
    pub(crate) run: Run,
}

impl Task {
    /// Makes a task from a function of the token that tells it to stop.
    pub fn new<F, E>(name: &'static str, run: impl FnOnce(CancellationToken) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let run: Run = Box::new(move |cancel| {
            let task = run(cancel);
            Box::pin(async move { task.await.map_err(Into::into) })
        });
        Self { name, run }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Task").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The credentials that routes name in `security`, and what each is.
const CREDENTIALS: [(&str, HttpAuthScheme, &str); 5] = [
    ("session", HttpAuthScheme::Bearer, "The access token of a session; see `POST /v1/sessions`."),
    (
        "accessToken",
        HttpAuthScheme::Bearer,
        "The access token of a session; see `POST /v1/sessions` of auth.",
    ),
    ("channelToken", HttpAuthScheme::Bearer, "The token of a channel, as its back-end got it."),
    ("apiKey", HttpAuthScheme::Bearer, "An API key that the operator gave out."),
    (
        "gatewayClient",
        HttpAuthScheme::Basic,
        "Id and secret of a gateway client; see `POST /v1/gateway-clients`.",
    ),
];

/// Collects the interface description of the routes that [`ServiceConfig::service`] was given.
///
/// The same function feeds the server, so a description that is checked in can be compared in a test.
pub fn openapi(title: &str, version: &str, routes: &RoutesFn) -> utoipa::openapi::OpenApi {
    let app = App::new().into_utoipa_app().configure(|config| routes(config));
    let (_, mut description) = app.split_for_parts();
    description.info = utoipa::openapi::Info::new(title, version);
    let text = description.to_json().unwrap_or_default();
    let components = description.components.get_or_insert_default();
    for (name, scheme, words) in CREDENTIALS {
        if text.contains(&format!("{{\"{name}\":[]}}")) {
            let scheme = HttpBuilder::new().scheme(scheme).description(Some(words));
            components.add_security_scheme(name, SecurityScheme::Http(scheme.build()));
        }
    }
    description.paths.paths.values_mut().for_each(describe_answers);
    description
}

/// Gives each answer that a route says nothing about the words of its status: OpenAPI wants a description of all.
fn describe_answers(path: &mut PathItem) {
    let methods = [
        &mut path.get,
        &mut path.put,
        &mut path.post,
        &mut path.delete,
        &mut path.options,
        &mut path.head,
        &mut path.patch,
        &mut path.trace,
    ];
    for operation in methods.into_iter().flatten() {
        for (status, answer) in &mut operation.responses.responses {
            let RefOr::T(answer) = answer else { continue };
            if answer.description.is_empty() {
                let status = status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok());
                let words = status.and_then(|status| status.canonical_reason());
                words.unwrap_or("see the status").clone_into(&mut answer.description);
            }
        }
    }
}
