//! A small service with one endpoint for each thing that can go well or badly.

use std::{sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, get, post, put, web as actix};
use async_trait::async_trait;
use common::models::{AsProblem, ProblemKind};
use prometheus::IntCounter;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use web::{
    AdminCaller, Caller, Check, ClientAddr, DeviceCaller, Failure, InternalCaller, Json, Service, Shutdown,
    routes,
    ws::{self, CloseCode, Frame, Message, SocketLimits},
};

/// How long a peer may be silent: a busy machine may keep one that is not from being heard for a while.
pub(crate) const IDLE: Duration = Duration::from_secs(6);

/// Of 64 KiB each.
pub(crate) const BACKLOG_FRAMES: usize = 480;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ToyError {
    #[error("connect to db: password hunter2 is wrong")]
    Broken,
    #[error("pool of hunter2 exhausted")]
    Busy,
    #[error("the box is full")]
    Full,
}

impl AsProblem for ToyError {
    fn kind(&self) -> ProblemKind {
        match self {
            Self::Broken => ProblemKind::Internal,
            Self::Busy => ProblemKind::Unavailable,
            Self::Full => ProblemKind::Conflict("box-full"),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        matches!(self, Self::Busy).then_some(Duration::from_millis(2500))
    }
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Thing {
    name: String,
    sizes: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    limit: Option<u8>,
}

#[utoipa::path(responses((status = 200)))]
#[get("/v1/things/{number}")]
async fn get_thing(number: actix::Path<u32>) -> HttpResponse {
    HttpResponse::Ok().body(number.to_string())
}

#[utoipa::path(request_body = Thing, responses((status = 200)))]
#[put("/v1/things/{number}")]
async fn put_thing(_: actix::Path<u32>, thing: Json<Thing>) -> Json<Thing> {
    thing
}

#[utoipa::path(request_body = Thing, responses((status = 200)))]
#[post("/v1/small")]
async fn small(thing: Json<Thing, 64>) -> Json<Thing> {
    Json(thing.into_inner())
}

#[utoipa::path(responses((status = 200)))]
#[post("/v1/plain")]
async fn plain(thing: actix::Json<Thing>) -> HttpResponse {
    HttpResponse::Ok().json(&*thing)
}

#[utoipa::path(responses((status = 200)))]
#[get("/v1/search")]
async fn search(page: actix::Query<Page>) -> HttpResponse {
    HttpResponse::Ok().json(page.limit)
}

#[utoipa::path(responses((status = 200)))]
#[get("/v1/panic")]
async fn panics() -> HttpResponse {
    panic!("hunter2 was in hand")
}

#[utoipa::path(responses((status = 200)))]
#[get("/v1/fails/{how}")]
async fn fails(how: actix::Path<String>) -> Result<HttpResponse, Failure> {
    match how.as_str() {
        "busy" => Err(ToyError::Busy)?,
        "full" => Err(ToyError::Full)?,
        _ => Err(ToyError::Broken)?,
    }
}

#[utoipa::path(responses((status = 200)))]
#[get("/v1/address")]
async fn address(address: ClientAddr) -> String {
    address.0.to_string()
}

#[utoipa::path(responses((status = 200)))]
#[get("/v1/trace")]
async fn trace() -> String {
    telemetry::RequestContext::current().unwrap().trace.trace_id()
}

#[utoipa::path(responses((status = 200)))]
#[get("/v1/me")]
async fn me(caller: Caller) -> String {
    caller.account.to_string()
}

#[utoipa::path(responses((status = 200)))]
#[get("/v1/device")]
async fn device(caller: DeviceCaller) -> String {
    caller.device.to_string()
}

#[utoipa::path(responses((status = 200)))]
#[get("/v1/wait")]
async fn wait(shutdown: Shutdown, told: actix::Data<watch::Sender<usize>>) -> &'static str {
    told.send_replace(1);
    shutdown.wait().await;
    "finished"
}

#[utoipa::path(responses((status = 101)))]
#[get("/v1/echo")]
async fn echo(request: HttpRequest) -> Result<HttpResponse, Failure> {
    let limits = SocketLimits { message_bytes: 1000, ..SocketLimits::default() };
    ws::upgrade(&request, limits, |mut socket| async move {
        while let Some(message) = socket.next().await {
            let sent = match message {
                Message::Text(text) if text == "leave" => return,
                Message::Text(text) if text == "panic" => panic!("asked to"),
                Message::Text(text) if text == "bye" => {
                    return socket.close(CloseCode::POLICY, "as you wish").await;
                }
                Message::Text(text) => socket.send_text(&text),
                Message::Binary(bytes) => socket.send(Frame::binary(&bytes)),
            };
            if sent.is_err() {
                return;
            }
        }
    })
}

#[utoipa::path(responses((status = 101)))]
#[get("/v1/impatient")]
async fn impatient(request: HttpRequest) -> Result<HttpResponse, Failure> {
    let limits = SocketLimits { ping: Duration::from_millis(250), idle: IDLE, ..SocketLimits::default() };
    ws::upgrade(&request, limits, |mut socket| async move { while socket.next().await.is_some() {} })
}

/// Sends much more than waits anywhere, to whoever takes it.
#[utoipa::path(responses((status = 101)))]
#[get("/v1/backlog")]
async fn backlog(request: HttpRequest) -> Result<HttpResponse, Failure> {
    let limits = SocketLimits { ping: Duration::from_millis(500), idle: IDLE, ..SocketLimits::default() };
    ws::upgrade(&request, limits, |mut socket| async move {
        let frame = Frame::binary(&[7; 64 * 1024]);
        for _ in 0..BACKLOG_FRAMES {
            if socket.send(frame.clone()).is_err() {
                return;
            }
            socket.drained().await;
        }
        while socket.next().await.is_some() {}
    })
}

/// Sends until its queue is full, and tells how far it got.
#[utoipa::path(responses((status = 101)))]
#[get("/v1/flood")]
async fn flood(
    request: HttpRequest,
    told: actix::Data<watch::Sender<usize>>,
) -> Result<HttpResponse, Failure> {
    let limits = SocketLimits { queue_bytes: 1024 * 1024, ..SocketLimits::default() };
    ws::upgrade(&request, limits, |mut socket| async move {
        let frame = Frame::binary(&[7; 64 * 1024]);
        while socket.send(frame.clone()).is_ok() {}
        told.send_replace(socket.queued_bytes());
        socket.close(CloseCode::TRY_AGAIN, "read faster").await;
    })
}

#[utoipa::path(responses((status = 101)))]
#[get("/v1/guarded")]
async fn guarded(
    request: HttpRequest,
    caller: Caller,
    gate: actix::Data<web::Gate>,
) -> Result<HttpResponse, Failure> {
    ws::upgrade(&request, SocketLimits::default(), move |mut socket| async move {
        let mut watch = gate.watch(&caller);
        loop {
            tokio::select! {
                message = socket.next() => if message.is_none() { return },
                () = watch.revoked() => return socket.close(CloseCode::REVOKED, "revoked").await,
            }
        }
    })
}

#[utoipa::path(responses((status = 200)))]
#[get("/internal/toy/v1/service")]
async fn for_services(_: InternalCaller) -> &'static str {
    "service"
}

#[utoipa::path(responses((status = 200)))]
#[get("/internal/toy/v1/operator")]
async fn for_operators(_: AdminCaller) -> &'static str {
    "operator"
}

/// Makes the service; the receiver tells how many bytes a flooded socket queued, or that a request waits.
pub(crate) fn toy() -> (Service, watch::Receiver<usize>) {
    let (told, queued) = watch::channel(0);
    let told = actix::Data::new(told);
    let mut service = Service::new("toy");
    service.routes = routes(move |config| {
        config
            .app_data(told.clone())
            .service(get_thing)
            .service(put_thing)
            .service(small)
            .service(plain)
            .service(search)
            .service(panics)
            .service(fails)
            .service(address)
            .service(trace)
            .service(me)
            .service(device)
            .service(wait)
            .service(echo)
            .service(impatient)
            .service(backlog)
            .service(flood)
            .service(guarded)
            .map(|config| {
                config.service(actix::resource("/by-hand").route(actix::get().to(HttpResponse::Ok)))
            });
    });
    service.internal = routes(|config| {
        config.service(for_services).service(for_operators);
    });
    let stored = IntCounter::new("toy_stored_total", "Things stored.").unwrap();
    service.metrics.register(Box::new(stored)).unwrap();
    (service, queued)
}

/// A dependency that a test switches.
pub(crate) struct Switch(pub(crate) watch::Receiver<bool>);

#[async_trait]
impl Check for Switch {
    fn name(&self) -> &str {
        "switch"
    }

    async fn check(&self) -> Result<(), String> {
        if *self.0.borrow() { Ok(()) } else { Err("switched off".to_owned()) }
    }
}

/// A dependency that never answers.
pub(crate) struct Silent;

#[async_trait]
impl Check for Silent {
    fn name(&self) -> &str {
        "silent"
    }

    async fn check(&self) -> Result<(), String> {
        std::future::pending().await
    }
}

/// A service with checks only.
pub(crate) fn checked(name: &'static str, checks: Vec<Arc<dyn Check>>) -> Service {
    let mut service = Service::new(name);
    service.checks = checks;
    service
}
