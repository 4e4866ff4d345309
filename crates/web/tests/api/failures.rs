//! Every failure has the same form.

use actix_web::http::StatusCode;
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::{
    harness::{Host, problem},
    toy::toy,
};

struct Case {
    what: &'static str,
    request: RequestBuilder,
    status: u16,
    slug: &'static str,
    pointer: Option<&'static str>,
}

fn cases(host: &Host) -> Vec<Case> {
    let put = |path: &str| host.client.put(format!("http://{}{path}", host.http));
    let case = |what, request, status, slug, pointer| Case { what, request, status, slug, pointer };
    let json = |request: RequestBuilder, body: &'static str| {
        request.header("content-type", "application/json").body(body)
    };
    let thing = put("/v1/things/1");
    let thing = || thing.try_clone().unwrap();
    let big = format!(r#"{{"name":"{}","sizes":[]}}"#, "x".repeat(300 * 1024));
    let invalid = "urn:problem:invalid-request";
    vec![
        case("bad path", host.get("/v1/things/seven"), 400, invalid, Some("path")),
        case("bad query", host.get("/v1/search?limit=many"), 400, invalid, Some("query")),
        case("unknown query field", host.get("/v1/search?limits=1"), 400, invalid, Some("query")),
        case("bad JSON", json(thing(), "{"), 400, invalid, Some("")),
        case("wrong type", json(thing(), r#"{"name":"a","sizes":[1,300]}"#), 400, invalid, Some("/sizes/1")),
        case("unknown field", json(thing(), r#"{"name":"a","sizes":[],"x":1}"#), 400, invalid, Some("/x")),
        case("actix's own Json", json(host.post("/v1/plain"), "{"), 400, invalid, Some("")),
        case("wrong media type", thing().body("{}"), 415, "urn:problem:unsupported-media-type", None),
        case("body over the default limit", json(thing(), "").body(big), 413, "urn:problem:too-large", None),
        case(
            "body over its own limit",
            json(
                host.post("/v1/small"),
                r#"{"sizes":[],"name":"a name that makes this body longer than its own sixty-four bytes"}"#,
            ),
            413,
            "urn:problem:too-large",
            None,
        ),
        case("unknown path", host.get("/v1/nothing"), 404, "urn:problem:no-such-route", None),
        case("wrong method", host.post("/v1/things/1"), 405, "urn:problem:method-not-allowed", None),
        case("wrong method by hand", host.post("/by-hand"), 405, "urn:problem:method-not-allowed", None),
        case("no credential", host.get("/v1/me"), 401, "urn:problem:unauthenticated", None),
        case("rule of the domain", host.get("/v1/fails/full"), 409, "urn:problem:box-full", None),
        case("fault", host.get("/v1/fails/broken"), 500, "urn:problem:internal", None),
        case("dependency", host.get("/v1/fails/busy"), 503, "urn:problem:unavailable", None),
        case("panic", host.get("/v1/panic"), 500, "urn:problem:internal", None),
        case("no handshake", host.get("/v1/echo"), 400, invalid, None),
    ]
}

#[tokio::test]
async fn every_failure_is_a_problem_with_the_request_id() {
    let host = Host::start([toy().0]);

    for Case { what, request, status, slug, pointer } in cases(&host) {
        let response = request.header("x-request-id", "given-by-client").send().await.unwrap();
        assert!(response.headers().contains_key("x-server-timestamp"), "{what}");
        let problem = problem(response).await;

        assert_eq!(
            (&problem["status"], &problem["type"]),
            (&json!(status), &json!(slug)),
            "{what}: {problem}"
        );
        assert_eq!(problem["instance"], "given-by-client", "{what}");
        if let Some(pointer) = pointer {
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{what}: {problem}");
        }
        assert!(!problem.to_string().contains("hunter2"), "{what}: {problem}");
    }
    host.stop().await;
}

#[tokio::test]
async fn a_bad_request_is_told_what_is_wrong() {
    let host = Host::start([toy().0]);

    for (path, word) in
        [("/v1/search?limits=1", "`limits`"), ("/v1/search?limit=x", "digit"), ("/v1/things/x", "u32")]
    {
        let problem = problem(host.get(path).send().await.unwrap()).await;

        let detail = problem["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(word), "{path}: {detail}");
    }
    host.stop().await;
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let host = Host::start([toy().0]);

    for (path, allow) in [("/v1/things/1", "GET, PUT"), ("/by-hand", "GET"), ("/", "GET")] {
        let response = host.post(path).send().await.unwrap();

        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED.as_u16());
        assert_eq!(response.headers()["allow"], allow, "{path}");
    }
    host.stop().await;
}

#[tokio::test]
async fn a_busy_dependency_says_when_to_come_back() {
    let host = Host::start([toy().0]);

    let response = host.get("/v1/fails/busy").send().await.unwrap();

    assert_eq!(response.headers()["retry-after"], "3");
    host.stop().await;
}

#[tokio::test]
async fn the_server_goes_on_after_a_panic() {
    let host = Host::start([toy().0]);
    for _ in 0..8 {
        host.get("/v1/panic").send().await.unwrap();
    }

    let response = host.get("/v1/things/7").send().await.unwrap();

    assert_eq!(response.text().await.unwrap(), "7");
    host.until_metric("http_requests_total{method=\"GET\",route=\"/v1/panic\",status=\"500\"} 8").await;
    host.stop().await;
}

#[tokio::test]
async fn request_ids_that_could_forge_a_log_line_are_replaced() {
    let host = Host::start([toy().0]);

    let response = host.get("/v1/nothing").header("x-request-id", "a b{}").send().await.unwrap();

    assert_eq!(problem(response).await["instance"].as_str().unwrap().len(), 32);
    host.stop().await;
}

#[tokio::test]
async fn a_trace_goes_on_in_the_handler() {
    let host = Host::start([toy().0]);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";

    let request = host.get("/v1/trace").header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));

    assert_eq!(request.send().await.unwrap().text().await.unwrap(), trace);
    host.stop().await;
}

#[tokio::test]
async fn an_upgrade_that_is_refused_gets_its_ordinary_answer() {
    let host = Host::start([toy().0]);
    let upgrade = |path: &str| {
        let request = host.client.request(Method::GET, format!("http://{}{path}", host.http));
        request
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .version(reqwest::Version::HTTP_11)
    };

    let without_key = upgrade("/v1/echo").header("sec-websocket-version", "13").send().await.unwrap();
    assert_eq!(problem(without_key).await["status"], 400);
    assert_eq!(problem(upgrade("/v1/guarded").send().await.unwrap()).await["status"], 401);
    assert_eq!(problem(upgrade("/v1/nowhere").send().await.unwrap()).await["status"], 404);
    assert_eq!(upgrade("/v1/things/7").send().await.unwrap().text().await.unwrap(), "7");
    host.stop().await;
}
