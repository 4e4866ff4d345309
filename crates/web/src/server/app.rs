//! The application behind a listener: the services' routes, and what surrounds them.

use std::{fmt, sync::Arc};

use actix_web::{
    App, Error, HttpRequest,
    body::BoxBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    middleware::from_fn,
    web::{self, Data, ServiceConfig},
};
use common::models::problem::{Problem, ProblemKind};
use tokio_util::sync::CancellationToken;
use utoipa_actix_web::AppExt;

use crate::{
    Failure, Gate, RoutesFn,
    client_addr::TrustedProxies,
    console,
    cors::Cors,
    extract::{self, Shutdown},
    front::Front,
    health::{self, Phase, Readiness},
    internal::Credentials,
    json::JsonLimit,
    metrics::{self, HttpMetrics, Registries},
    observe::observe,
    openapi,
    table::RouteTable,
    ws::Sockets,
};

/// What both listeners share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) metrics: HttpMetrics,
    pub(super) sockets: Sockets,
    pub(super) cancel: CancellationToken,
    pub(super) readiness: Data<Readiness>,
    pub(super) gate: Option<Data<Gate>>,
    pub(super) proxies: Data<TrustedProxies>,
    pub(super) json_limit_bytes: usize,
}

/// What only the internal listener has.
pub(super) struct Operation {
    pub(super) registries: Data<Registries>,
    pub(super) credentials: Data<Credentials>,
}

/// One listener's routes and surroundings, shared by its workers.
pub(crate) struct Site {
    shared: Shared,
    routes: Vec<RoutesFn>,
    operation: Option<Operation>,
    front: Front,
    pub(crate) table: RouteTable,
    pub(crate) cors: Cors,
}

impl fmt::Debug for Site {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Site").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl Site {
    pub(super) fn new(
        shared: Shared,
        routes: Vec<RoutesFn>,
        cors: Cors,
        operation: Option<Operation>,
        front: Front,
    ) -> Arc<Self> {
        let descriptions: Vec<_> = routes.iter().map(|routes| openapi("", "", routes)).collect();
        Arc::new(Self { shared, routes, operation, front, table: RouteTable::new(&descriptions), cors })
    }

    pub(super) fn name(&self) -> &'static str {
        if self.operation.is_some() { "internal" } else { "public" }
    }

    pub(super) fn sockets(&self) -> &Sockets {
        &self.shared.sockets
    }

    pub(crate) fn metrics(&self) -> &HttpMetrics {
        &self.shared.metrics
    }

    /// Tells whether clients should go elsewhere with their next request.
    pub(crate) fn is_draining(&self) -> bool {
        self.shared.readiness.is(Phase::Draining)
    }

    fn data(&self, config: &mut ServiceConfig) {
        config
            .app_data(self.shared.proxies.clone())
            .app_data(JsonLimit(self.shared.json_limit_bytes))
            .app_data(Shutdown(self.shared.cancel.clone()));
        extract::configure(config, self.shared.json_limit_bytes);
        if let Some(gate) = &self.shared.gate {
            config.app_data(gate.clone());
        }
        if let Some(operation) = &self.operation {
            config
                .app_data(self.shared.readiness.clone())
                .app_data(operation.registries.clone())
                .app_data(operation.credentials.clone());
        }
    }

    /// Routes of the server's own. They come after those of the services, which may answer `/` themselves.
    fn own_routes(&self, config: &mut ServiceConfig) {
        let front = self.front.clone();
        let answer = move |request: HttpRequest| {
            let answer = front.answer(&request);
            async move { answer }
        };
        config.service(web::resource("/").route(web::get().to(answer)));
        if self.operation.is_some() {
            config
                .service(web::resource("/health/live").route(web::get().to(health::live)))
                .service(web::resource("/health/ready").route(web::get().to(health::ready)))
                .service(web::resource("/metrics").route(web::get().to(metrics::page)))
                .configure(console::routes);
        }
    }
}

/// Builds the application of one worker.
pub(super) fn application(
    site: Arc<Site>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
        Future = impl Future + 'static,
    >,
> {
    let mut app = App::new().configure(|config| site.data(config)).into_utoipa_app();
    for routes in &site.routes {
        app = app.configure(|config| routes(config));
    }
    let (unrouted_site, observing) = (Arc::clone(&site), Arc::clone(&site));
    app.into_app()
        .configure(|config| site.own_routes(config))
        .default_service(web::to(move |request: HttpRequest| {
            let answer = unrouted(&unrouted_site, &request);
            async move { answer }
        }))
        .wrap(from_fn(move |request, next| observe(Arc::clone(&observing), request, next)))
}

/// Answers what no route takes: 405 where the path is known, else 404.
fn unrouted(site: &Site, request: &HttpRequest) -> Failure {
    match site.table.allow(request.path()) {
        Some(allow) => Failure::method_not_allowed(allow),
        None => Failure::problem(
            Problem::new(ProblemKind::NotFound("no-such-route")).with_detail("there is nothing at this path"),
        ),
    }
}
