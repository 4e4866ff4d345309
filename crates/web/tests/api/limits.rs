//! What a caller meets who asks too often.

use std::sync::Arc;

use actix_web::{HttpResponse, get, web::Data};
use common::models::{Clock, UnixMillis};
use web::{ClientAddr, Failure, LimitSettings, Limits, Rule, Service, routes};

use crate::harness::{Host, problem, settings};

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_767_225_600_000)
    }
}

#[utoipa::path(responses((status = 204), (status = 429)))]
#[get("/v1/limited")]
async fn limited(limits: Data<Limits>, client: ClientAddr) -> Result<HttpResponse, Failure> {
    limits.take(Rule::LoginAddress, client.network())?;
    Ok(HttpResponse::NoContent().finish())
}

/// A host behind a proxy that it trusts, with one limited endpoint.
fn host(section: &str) -> Host {
    let mut service = Service::new("limited");
    let settings_of_limits: LimitSettings = serde_json::from_str(section).unwrap();
    let limits = Data::new(Limits::new(&settings_of_limits, Arc::new(Still), &service.metrics).unwrap());
    service.routes = routes(move |config| {
        config.app_data(limits.clone()).service(limited);
    });
    let mut http = settings();
    http.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    Host::start_with(&http, [service])
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_is_told_when_to_come_back_and_others_are_not_held_up() {
    let host = host(r#"{"login_address": {"size": 2, "refill": "1500ms"}}"#);
    let ask = |address: &'static str| host.get("/v1/limited").header("x-forwarded-for", address).send();

    let first = ask("2001:db8::1").await.unwrap();
    let second = ask("2001:db8::2").await.unwrap();
    let third = ask("2001:db8::3").await.unwrap();
    let neighbour = ask("2001:db8:0:1::1").await.unwrap();

    assert_eq!([first.status(), second.status(), neighbour.status()], [204; 3]);
    assert_eq!(third.headers()["retry-after"], "2", "rounded up");
    let problem = problem(third).await;
    assert_eq!((&problem["status"], &problem["type"]), (&429.into(), &"urn:problem:rate-limited".into()));
    host.until_metric(r#"rate_limited_total{rule="login_address",service="limited"} 1"#).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_can_be_switched_off() {
    let host = host(r#"{"enabled": false, "login_address": {"size": 1}}"#);

    for _ in 0..3 {
        assert_eq!(host.get("/v1/limited").send().await.unwrap().status(), 204);
    }
    host.stop().await;
}
