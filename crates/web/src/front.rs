//! `GET /`: which services are here, and the pages that they show to people.

use actix_web::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, VARY, X_CONTENT_TYPE_OPTIONS};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use crate::PAGE_POLICY;

/// A page for people, as `GET /` tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Where it is, below the public address.
    pub path: &'static str,
    /// What it is for, in a few words without markup.
    pub title: &'static str,
}

/// The answer of a listener, in both its forms.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    status: serde_json::Value,
    html: String,
}

impl Front {
    pub(crate) fn new(services: &[&str], pages: &[Page]) -> Self {
        let links: Vec<_> =
            pages.iter().map(|page| json!({ "path": page.path, "title": page.title })).collect();
        let status = json!({ "name": "sealpost", "status": "up", "services": services, "pages": links });
        Self { status, html: html(services, pages) }
    }

    /// JSON, unless it is a browser that asks.
    pub(crate) fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let accepts = request.headers().get(ACCEPT).and_then(|accepts| accepts.to_str().ok());
        let mut response = HttpResponse::Ok();
        response.insert_header((VARY, "accept")).insert_header((CACHE_CONTROL, "no-cache"));
        if !accepts.is_some_and(|accepts| accepts.contains("text/html")) {
            return response.json(&self.status);
        }
        response
            .content_type("text/html; charset=utf-8")
            .insert_header((CONTENT_SECURITY_POLICY, PAGE_POLICY))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .body(self.html.clone())
    }
}

fn html(services: &[&str], pages: &[Page]) -> String {
    let link = |page: &Page| format!("<li><a href=\"{}\">{}</a></li>\n", page.path, page.title);
    let links: String = pages.iter().map(link).collect();
    let links = if links.is_empty() { String::new() } else { format!("<ul>\n{links}</ul>\n") };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n<title>Sealpost</title>\n\
         <h1>Sealpost is up</h1>\n<p>Services here: {}.</p>\n{links}</html>\n",
        services.join(", ")
    )
}
