//! The server: two listeners, any number of services, and an orderly end.

mod app;
mod drain;
mod takeover;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use actix_http::HttpService;
use actix_server::ServerBuilder;
use actix_service::map_config;
use actix_web::{dev::AppConfig, web::Data};
use prometheus::Registry;
use socket2::{Domain, Protocol, Socket, Type};
use tokio_util::sync::CancellationToken;

pub(crate) use self::app::Site;
use self::app::application;
use crate::{
    BoxError, Gate, HttpSettings, InternalSettings, Page, Service,
    client_addr::TrustedProxies,
    console::CONSOLE,
    cors::Cors,
    front::Front,
    health::Readiness,
    internal::Credentials,
    metrics::{HttpMetrics, Registries},
    ws::Sockets,
};

/// Connections that the kernel keeps until a worker takes them; a fleet that reconnects comes all at once.
const BACKLOG: i32 = 2048;

/// Why the server cannot start, or ended on its own.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A listener cannot be bound.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The HTTP server failed.
    #[error("the HTTP server failed")]
    Http(#[source] io::Error),
    /// The server's own metrics clash.
    #[error("metrics cannot be registered")]
    Metrics(#[from] prometheus::Error),
    /// A task that should run until the end did not.
    #[error("the task {service}/{task} ended early")]
    Task {
        /// The service it belongs to.
        service: &'static str,
        /// Its name.
        task: &'static str,
        /// Its error; none when it returned as if its work were done.
        #[source]
        source: Option<BoxError>,
    },
}

/// A server with both listeners bound, so that its addresses are known before it runs.
#[derive(Debug)]
pub struct Server {
    http: HttpSettings,
    internal: InternalSettings,
    public_listener: TcpListener,
    internal_listener: TcpListener,
    http_addr: SocketAddr,
    internal_addr: SocketAddr,
    gate: Option<Arc<Gate>>,
    services: Vec<Service>,
    registry: Registry,
}

impl Server {
    /// Binds both listeners. Connections wait in the kernel until [`Server::run_until`].
    ///
    /// # Errors
    /// [`ServerError::Bind`].
    pub fn bind(http: &HttpSettings, internal: &InternalSettings) -> Result<Self, ServerError> {
        let (public_listener, http_addr) = listen(http.listen)?;
        let (internal_listener, internal_addr) = listen(internal.listen)?;
        Ok(Self {
            http: http.clone(),
            internal: internal.clone(),
            public_listener,
            internal_listener,
            http_addr,
            internal_addr,
            gate: None,
            services: Vec::new(),
            registry: Registry::new(),
        })
    }

    /// Returns the address of the public listener.
    pub fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    /// Returns the address of the internal listener.
    pub fn internal_addr(&self) -> SocketAddr {
        self.internal_addr
    }

    /// Returns the registry of series that belong to the process and to none of its services.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Sets the gate by which `Caller` and its kin tell who calls. Without one they refuse everybody.
    #[must_use]
    pub fn gate(mut self, gate: Arc<Gate>) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Adds services to host. With the same path in two of them, the earlier one answers.
    #[must_use]
    pub fn host(mut self, services: impl IntoIterator<Item = Service>) -> Self {
        self.services.extend(services);
        self
    }

    /// Serves until `shutdown` resolves, then drains: not ready, `drain_delay`, sockets closed and tasks told, both
    /// awaited, requests finished.
    ///
    /// Tasks run on the calling runtime, so give it several threads; requests and sockets have worker threads of their
    /// own.
    ///
    /// # Errors
    /// [`ServerError::Task`] when a task ends before it is told to, [`ServerError::Http`] when the HTTP server fails,
    /// [`ServerError::Metrics`].
    pub async fn run_until(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), ServerError> {
        let process = self.registry;
        let metrics = HttpMetrics::register(&process)?;
        telemetry::process_metrics(&process)?;
        let cancel = CancellationToken::new();
        let sockets = Sockets::new(cancel.clone(), self.http.max_sockets, metrics.websockets_open.clone());

        let names: Vec<_> = self.services.iter().map(|service| service.name).collect();
        let pages: Vec<Page> = self.services.iter().flat_map(|service| service.pages.clone()).collect();
        let checks = self
            .services
            .iter()
            .flat_map(|service| service.checks.iter().map(|check| (service.name, Arc::clone(check))));
        let readiness = Arc::new(Readiness::new(checks.collect()));
        let registries = self.services.iter().map(|service| (service.name, service.metrics.clone()));
        let registries = Data::new(Registries::new(process, registries.collect()));
        let shared = app::Shared {
            metrics,
            sockets: sockets.clone(),
            cancel: cancel.clone(),
            readiness: Data::from(Arc::clone(&readiness)),
            gate: self.gate.map(Data::from),
            proxies: Data::new(TrustedProxies::new(&self.http.trusted_proxies)),
            json_limit_bytes: self.http.json_limit_bytes,
        };
        let public = self.services.iter().map(|service| Arc::clone(&service.routes)).collect();
        let public = Site::new(
            shared.clone(),
            public,
            Cors::new(&self.http.cors_origins),
            None,
            Front::new(&names, &pages),
        );
        let internal = self.services.iter().map(|service| Arc::clone(&service.internal)).collect();
        let operation = app::Operation {
            registries,
            credentials: Data::new(Credentials::new(self.internal.token, self.internal.admin_token)),
        };
        let internal =
            Site::new(shared, internal, Cors::default(), Some(operation), Front::new(&names, &[CONSOLE]));

        let mut builder =
            ServerBuilder::new().disable_signals().shutdown_timeout(self.http.drain_timeout.as_secs().max(1));
        if let Some(workers) = self.http.workers {
            builder = builder.workers(workers.get());
        }
        let builder = serve(builder, self.public_listener, public, &self.http)?;
        let builder = serve(builder, self.internal_listener, internal, &self.http)?;
        let server = builder.run();

        let running = drain::Running {
            handle: server.handle(),
            server: tokio::spawn(server),
            tasks: drain::start(self.services, &cancel),
            readiness,
            sockets,
            cancel,
            delay: self.http.drain_delay,
            timeout: self.http.drain_timeout,
        };
        running.until(shutdown).await
    }
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServerError> {
    let bind = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from(socket);
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    bind().map_err(|source| ServerError::Bind { address, source })
}

/// Puts a site on a listener. `HttpServer` has no way to take a stream over, so its parts are put together here.
fn serve(
    builder: ServerBuilder,
    listener: TcpListener,
    site: Arc<Site>,
    http: &HttpSettings,
) -> Result<ServerBuilder, ServerError> {
    let stopping = builder.graceful_shutdown_signal();
    let (keep_alive, request_timeout, linger) = (http.keep_alive, http.request_timeout, http.linger);
    builder
        .listen(site.name(), listener, move || {
            let stopping = stopping.clone();
            let app = application(Arc::clone(&site));
            HttpService::build()
                .keep_alive(keep_alive)
                .client_request_timeout(request_timeout)
                // To actix, what it waits for is that the client disconnects.
                .client_disconnect_timeout(linger)
                .tcp_nodelay(true)
                // A client that hangs up ends its request at once, also one that only waits: a long poll.
                .h1_allow_half_closed(false)
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .upgrade(takeover::factory(Arc::clone(&site)))
                .finish(map_config(app, |()| AppConfig::default()))
                .tcp()
        })
        .map_err(ServerError::Http)
}
