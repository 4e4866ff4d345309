//! Several services behind one pair of listeners: routes, health, metrics, CORS, client addresses.

use std::{sync::Arc, time::Duration};

use actix_web::{HttpResponse, get};
use prometheus::IntCounter;
use serde_json::Value;
use tokio::sync::watch;
use web::{HttpSettings, Page, Service, Task, openapi, routes};

use crate::{
    harness::{DEADLINE, Host, settings},
    toy::{Silent, Switch, checked, toy},
};

#[utoipa::path(responses((status = 200)))]
#[get("/v1/other")]
async fn other() -> HttpResponse {
    HttpResponse::Ok().body("other")
}

fn second() -> Service {
    let mut service = Service::new("second");
    service.routes = routes(|config| {
        config.service(other);
    });
    service.pages = vec![Page { path: "/v1/other", title: "Another thing" }];
    let stored = IntCounter::new("toy_stored_total", "Things stored.").unwrap();
    service.metrics.register(Box::new(stored)).unwrap();
    service
}

#[tokio::test]
async fn two_services_answer_on_one_listener() {
    let host = Host::start([toy().0, second()]);

    assert_eq!(host.get("/v1/things/3").send().await.unwrap().text().await.unwrap(), "3");
    assert_eq!(host.get("/v1/other").send().await.unwrap().text().await.unwrap(), "other");
    let status: Value = host.get("/").send().await.unwrap().json().await.unwrap();
    assert_eq!(status["services"], serde_json::json!(["toy", "second"]));
    assert_eq!(status["pages"], serde_json::json!([{"path": "/v1/other", "title": "Another thing"}]));
    assert_eq!(host.get("/metrics").send().await.unwrap().status(), 404);
    assert_eq!(host.get("/health/ready").send().await.unwrap().status(), 404);
    host.stop().await;
}

#[tokio::test]
async fn a_browser_gets_a_page_with_the_way_to_the_others() {
    let host = Host::start([toy().0, second()]);

    let answer = host.get("/").header("accept", "text/html,*/*;q=0.8").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    assert!(answer.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    let page = answer.text().await.unwrap();
    assert!(
        page.contains("toy, second") && page.contains(r#"<a href="/v1/other">Another thing</a>"#),
        "{page}"
    );
    host.stop().await;
}

#[tokio::test]
async fn metrics_name_services_and_route_patterns() {
    let host = Host::start([toy().0, second()]);
    host.get("/v1/things/123456").send().await.unwrap();
    host.get("/v1/unknown").send().await.unwrap();

    let metrics = host.metrics().await;

    for line in [
        "toy_stored_total{service=\"toy\"} 0",
        "toy_stored_total{service=\"second\"} 0",
        "http_requests_total{method=\"GET\",route=\"/v1/things/{number}\",status=\"200\"} 1",
        "http_requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"} 1",
        "websockets_open 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "no {line} in\n{metrics}");
    }
    assert!(metrics.contains("process_resident_memory_bytes"));
    assert!(!metrics.contains("things/123456"));
    host.stop().await;
}

async fn ready(host: &Host) -> (u16, Value) {
    let response = host.get_internal("/health/ready").send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn until_ready_is(host: &Host, status: u16) -> Value {
    let seen = async {
        loop {
            match ready(host).await {
                (found, report) if found == status => return report,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    tokio::time::timeout(DEADLINE, seen).await.unwrap()
}

#[tokio::test]
async fn readiness_follows_the_checks_and_names_them() {
    let (switch, switched) = watch::channel(true);
    let host = Host::start([checked("one", vec![Arc::new(Switch(switched))]), checked("two", Vec::new())]);

    let report = until_ready_is(&host, 200).await;
    assert_eq!(report["checks"][0]["service"], "one");
    assert_eq!(report["checks"][0]["name"], "switch");

    switch.send_replace(false);
    let report = until_ready_is(&host, 503).await;
    assert_eq!(
        (&report["status"], &report["checks"][0]["error"]),
        (&"unavailable".into(), &"switched off".into())
    );
    assert_eq!(host.get_internal("/health/live").send().await.unwrap().status(), 200);

    switch.send_replace(true);
    until_ready_is(&host, 200).await;
    host.stop().await;
}

#[tokio::test]
async fn a_check_that_hangs_costs_a_second_and_not_the_probe() {
    let (_switch, switched) = watch::channel(true);
    let host = Host::start([checked("one", vec![Arc::new(Silent), Arc::new(Switch(switched))])]);

    let (status, report) = ready(&host).await;

    assert_eq!(
        (status, &report["checks"][0]["ok"], &report["checks"][1]["ok"]),
        (503, &false.into(), &true.into())
    );
    host.stop().await;
}

#[tokio::test]
async fn pages_of_named_origins_may_call_and_others_may_not() {
    let http = HttpSettings { cors_origins: vec!["https://app.example".to_owned()], ..settings() };
    let host = Host::start_with(&http, [toy().0]);
    let preflight = |origin: &'static str| {
        host.client
            .request(reqwest::Method::OPTIONS, format!("http://{}/v1/things/1", host.http))
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "authorization, content-type")
            .send()
    };

    let allowed = preflight("https://app.example").await.unwrap();
    assert_eq!(allowed.status(), 204);
    assert_eq!(allowed.headers()["access-control-allow-origin"], "https://app.example");
    assert_eq!(allowed.headers()["access-control-allow-headers"], "authorization, content-type");
    let foreign = preflight("https://evil.example").await.unwrap();
    assert!(!foreign.headers().contains_key("access-control-allow-origin"));

    // A page can read why it was refused.
    let refused = host.get("/v1/me").header("origin", "https://app.example").send().await.unwrap();
    assert_eq!(refused.headers()["access-control-allow-origin"], "https://app.example");
    // And where in a list it is.
    let exposed = refused.headers()["access-control-expose-headers"].to_str().unwrap();
    for name in ["link", "retry-after", "x-page", "x-per-page", "x-request-id", "x-total-count"] {
        assert!(exposed.split(", ").any(|exposed| exposed == name), "{name} in {exposed}");
    }
    host.stop().await;
}

#[tokio::test]
async fn a_forwarded_address_counts_from_trusted_proxies_only() {
    let address = async |host: &Host| {
        let request = host.get("/v1/address").header("x-forwarded-for", "6.6.6.6, 198.51.100.7");
        request.send().await.unwrap().text().await.unwrap()
    };
    let open = Host::start([toy().0]);
    assert_eq!(address(&open).await, "127.0.0.1");
    open.stop().await;

    let http = HttpSettings { trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()], ..settings() };
    let behind = Host::start_with(&http, [toy().0]);
    assert_eq!(address(&behind).await, "198.51.100.7");
    behind.stop().await;
}

#[tokio::test]
async fn a_task_that_ends_early_ends_the_process() {
    let mut failing = Service::new("relay");
    failing.tasks = vec![Task::new("outbox", |_| async { Err::<(), _>(std::io::Error::other("gone")) })];
    let error = Host::start([failing, toy().0]).ended().await.unwrap_err();
    assert_eq!(error.to_string(), "the task relay/outbox ended early");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "gone");

    let mut panicking = Service::new("relay");
    let run = |_| async { if true { panic!("outbox") } else { Ok::<(), std::io::Error>(()) } };
    panicking.tasks = vec![Task::new("outbox", run)];
    let error = Host::start([panicking]).ended().await.unwrap_err();
    assert_eq!(error.to_string(), "the task relay/outbox ended early");
}

#[test]
fn the_description_lists_what_is_served() {
    let description = openapi("Second", "1.2.3", &second().routes);

    assert_eq!((description.info.title.as_str(), description.info.version.as_str()), ("Second", "1.2.3"));
    assert_eq!(description.paths.paths.keys().collect::<Vec<_>>(), ["/v1/other"]);
}
