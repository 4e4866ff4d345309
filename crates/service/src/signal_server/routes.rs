//! The paths of one prefix: what surrounds their handlers, and what the handlers leave over.

use std::rc::Rc;

use actix_web::body::BoxBody;
use actix_web::dev::{HttpServiceFactory, ResourceDef, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::uri::PathAndQuery;
use actix_web::http::{Method, StatusCode, Uri};
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, HttpResponse, web};
use serde_json::json;
use utoipa_actix_web::OpenApiFactory;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Call, Refusal};

/// Who may call a path at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever shows a token.
    Caller,
    /// Anybody; but a token that is shown must be good.
    Anybody,
    /// Anybody, and no token is looked at.
    Stranger,
}

/// How a path ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slash {
    /// With a slash; without one it answers 301.
    Needed,
    /// With a slash or without.
    Optional,
}

/// A path and what is known of it without its handlers.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The whole path with the slash at its end, as a pattern of actix's.
    pub path: &'static str,
    /// The methods, as `Allow` lists them. One of them that no handler takes is for a path that has nothing at it (404).
    pub methods: &'static str,
    /// Who may call with a method that no handler takes.
    pub access: Access,
    /// How it ends.
    pub slash: Slash,
}

/// The routes of a prefix, with their patterns.
#[derive(Clone)]
struct Table(Rc<[(ResourceDef, Route)]>);

impl Table {
    fn new(routes: &[Route]) -> Self {
        Self(routes.iter().map(|route| (ResourceDef::new(route.path), *route)).collect())
    }

    /// Gives the route of a path; of several that fit, the first.
    fn find(&self, path: &str) -> Option<Route> {
        self.0.iter().find(|(pattern, _)| pattern.is_match(path)).map(|(_, route)| *route)
    }
}

/// Headers of every answer.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("none")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
];
const HSTS: HeaderValue = HeaderValue::from_static("max-age=3600");

/// CORS: any origin, without credentials.
const ANY_ORIGIN: HeaderValue = HeaderValue::from_static("*");
const METHODS: HeaderValue = HeaderValue::from_static("DELETE, GET, OPTIONS, PATCH, POST, PUT");
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "accept, accept-encoding, authorization, content-type, dnt, origin, user-agent, x-csrftoken, x-requested-with, signature",
);

/// Puts handlers below `prefix`. Their paths are relative to it, and end with a slash; those of `routes` are whole, and
/// list each of them.
///
/// A handler for GET gets HEAD as well. What no handler takes is OPTIONS, a wrong method (405), a missing slash (301),
/// or nothing at all (404). The service that is served this way gives its routes the [`Throttles`](super::Throttles) of
/// the platform, as [`web::Data`].
pub fn scope(
    prefix: &'static str,
    routes: &'static [Route],
    handlers: impl FnOnce(&mut ServiceConfig<'_>),
) -> impl HttpServiceFactory + OpenApiFactory + 'static {
    let (table, surrounding) = (Table::new(routes), Table::new(routes));
    utoipa_actix_web::scope(prefix)
        .configure(handlers)
        .default_service(web::to(move |call: Call| {
            let response = left_over(&table, &call);
            async move { response }
        }))
        .wrap(from_fn(move |request, next| around(surrounding.clone(), request, next)))
}

async fn around(
    table: Table,
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    // Whoever claims it of a connection of their own gets a header that browsers ignore there.
    let secure = request.connection_info().scheme() == "https";
    let from_page = request.headers().contains_key(header::ORIGIN);
    let preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight {
        request.into_response(permission())
    } else {
        if request.method() == Method::HEAD {
            // The body is left out where the response is written: that depends on what came in.
            request.head_mut().method = Method::GET;
        }
        close(&table, &mut request);
        next.call(request).await?
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    if secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    if from_page {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN);
    }
    Ok(response)
}

/// Answers a preflight request (Fetch standard, CORS-preflight fetch).
fn permission() -> HttpResponse {
    let mut response = HttpResponse::Ok().finish();
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

/// Adds the slash that a path may do without, so that handlers have one form of it.
fn close(table: &Table, request: &mut ServiceRequest) {
    if request.path().ends_with('/') {
        return;
    }
    let closed = format!("{}/", request.path());
    if !table.find(&closed).is_some_and(|route| route.slash == Slash::Optional) {
        return;
    }
    let mut parts = request.head().uri.clone().into_parts();
    let whole = with_query(closed, request.query_string());
    if let Ok(path) = PathAndQuery::try_from(whole)
        && let Ok(uri) = {
            parts.path_and_query = Some(path);
            Uri::from_parts(parts)
        }
    {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
}

fn with_query(path: String, query: &str) -> String {
    if query.is_empty() { path } else { format!("{path}?{query}") }
}

fn left_over(table: &Table, call: &Call) -> HttpResponse {
    let request = call.request();
    let path = request.path();
    if let Some(route) = table.find(path) {
        return known(route, call).unwrap_or_else(Refusal::into_response);
    }
    let closed = format!("{path}/");
    if table.find(&closed).is_some() {
        let target = with_query(closed, request.query_string());
        return HttpResponse::MovedPermanently().insert_header((header::LOCATION, target)).finish();
    }
    Refusal::not_found().into_response()
}

/// A path that exists, and a method that no handler of it takes.
fn known(route: Route, call: &Call) -> Result<HttpResponse, Refusal> {
    match route.access {
        Access::Caller => call.caller().map(drop)?,
        Access::Anybody => call.anybody().map(drop)?,
        Access::Stranger => call.stranger()?,
    }
    let method = call.request().method();
    if method != Method::OPTIONS {
        let taken = route.methods.split(", ").any(|taken| taken == method.as_str());
        if taken {
            return Err(Refusal::not_found());
        }
        return Err(Refusal::method_not_allowed(method.as_str(), route.methods));
    }
    let parses = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"];
    let about =
        json!({"name": route.path, "description": "", "renders": ["application/json"], "parses": parses});
    Ok(HttpResponse::build(StatusCode::OK).insert_header((header::ALLOW, route.methods)).json(about))
}

#[cfg(test)]
mod tests;
