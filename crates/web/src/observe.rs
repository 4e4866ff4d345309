//! What surrounds every request: its ids and span, time and count, problems for errors and panics, CORS.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use actix_web::{
    Error, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ResponseHead, ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        ConnectionType, Method, StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
};
use common::models::{Clock, SystemClock};
use futures_util::FutureExt;
use telemetry::{RequestContext, RequestId, TraceContext};
use tracing::{Instrument, Span, debug, field, info_span};

use crate::{Failure, chain::panic_text, server::Site};

const SERVER_TIMESTAMP: HeaderName = HeaderName::from_static("x-server-timestamp");

/// The middleware around all routes of a listener.
pub(crate) async fn observe(
    site: Arc<Site>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let headers = request.headers();
    let context =
        RequestContext::from_headers(text(headers, RequestId::HEADER), text(headers, TraceContext::HEADER));
    let origin = site.cors.allowed(headers);
    // Kept aside: a panic takes the request with it.
    let (method, path) = (request.method().clone(), request.path().to_owned());
    let span = info_span!(
        "request",
        request.id = %context.request,
        trace.id = %context.trace.trace_id(),
        http.method = %method,
        http.route = field::Empty,
    );

    let answer = match site.cors.preflight(&method, headers) {
        Some(answer) => Ok(request.into_response(answer)),
        None => {
            let answer = context.clone().scope(next.call(request)).instrument(span.clone());
            AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|panic| {
                Err(Failure::internal(format_args!("panic: {}", panic_text(&*panic))).into())
            })
        }
    };

    let finish = Finish { site: &site, context: &context, span: &span, method: &method, started };
    match answer {
        Ok(answer) => {
            let answer = finish.problem(answer);
            let route = answer.request().match_pattern();
            let mut answer = answer;
            finish.dress(answer.headers_mut(), origin);
            finish.part(answer.response_mut().head_mut());
            finish.count(route.as_deref(), answer.status());
            Ok(answer)
        }
        // Without its request there is no `ServiceResponse`; the error carries the response instead.
        Err(error) => {
            let mut answer = finish.failure(&error);
            finish.dress(answer.headers_mut(), origin);
            finish.part(answer.head_mut());
            finish.count(site.table.pattern(&path), answer.status());
            Err(InternalError::from_response(error, answer).into())
        }
    }
}

struct Finish<'a> {
    site: &'a Site,
    context: &'a RequestContext,
    span: &'a Span,
    method: &'a Method,
    started: Instant,
}

impl Finish<'_> {
    /// Turns an answer that stands for an error into a problem with the request's id.
    fn problem(&self, answer: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
        if let Some(error) = answer.response().error() {
            let problem = self.failure(error);
            return answer.into_response(problem);
        }
        // A resource declared by hand answers a wrong method by itself, with an empty 405.
        if answer.status() == StatusCode::METHOD_NOT_ALLOWED
            && matches!(answer.response().body().size(), BodySize::None | BodySize::Sized(0))
        {
            let allow = text(answer.headers(), header::ALLOW.as_str()).unwrap_or_default().to_owned();
            let problem = self.respond(&Failure::method_not_allowed(allow));
            return answer.into_response(problem);
        }
        answer
    }

    fn failure(&self, error: &Error) -> HttpResponse {
        match error.as_error::<Failure>() {
            Some(failure) => self.respond(failure),
            None => self.respond(&Failure::foreign(error)),
        }
    }

    fn respond(&self, failure: &Failure) -> HttpResponse {
        self.span.in_scope(|| failure.log());
        failure.respond(Some(&self.context.request))
    }

    fn dress(&self, headers: &mut HeaderMap, origin: Option<HeaderValue>) {
        if let Ok(id) = HeaderValue::from_str(self.context.request.as_str()) {
            headers.insert(HeaderName::from_static(RequestId::HEADER), id);
        }
        headers.insert(SERVER_TIMESTAMP, HeaderValue::from(SystemClock.now().as_i64()));
        self.site.cors.dress(origin, headers);
    }

    /// A balancer that counts connections, or a proxy that keeps them, would go on with those it has for as long as there are
    /// requests, and lose what it sends at the moment they are closed. So each ends with an answer, while there is time.
    fn part(&self, head: &mut ResponseHead) {
        if self.site.is_draining() && head.status != StatusCode::SWITCHING_PROTOCOLS {
            head.set_connection_type(ConnectionType::Close);
        }
    }

    fn count(&self, route: Option<&str>, status: StatusCode) {
        let route = route.unwrap_or("unmatched");
        let method = method_label(self.method);
        let elapsed = self.started.elapsed();
        let metrics = self.site.metrics();
        metrics.http_requests_total.with_label_values(&[method, route, status.as_str()]).inc();
        metrics
            .http_request_duration_seconds
            .with_label_values(&[method, route])
            .observe(elapsed.as_secs_f64());
        self.span.record("http.route", route);
        self.span.in_scope(|| {
            debug!(http.status = status.as_u16(), duration_ms = elapsed.as_millis(), "request answered");
        });
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A client can make up methods; a label may not take any number of values.
fn method_label(method: &Method) -> &str {
    match method.as_str() {
        known @ ("GET" | "PUT" | "POST" | "DELETE" | "PATCH" | "HEAD" | "OPTIONS") => known,
        _ => "other",
    }
}
