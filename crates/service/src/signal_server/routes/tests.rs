use std::sync::Arc;
use std::time::Duration;

use ::web::Gate;
use actix_web::dev::ServiceResponse;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::{self, Data};
use actix_web::{App, get, post};
use common::crypto::jws::{Claims, SignalServerClaims, SigningKey, TokenClaims, sign};
use common::models::{AccountId, Clock, SessionId, SharedClock, UnixMillis};
use serde_json::{Value, json};
use utoipa_actix_web::AppExt as _;

use super::*;
use crate::signal_server::{Rate, SignalServerSettings, Throttles, answer};

const NOW: UnixMillis = UnixMillis(1_767_225_600_000);

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> UnixMillis {
        NOW
    }
}

const ROUTES: &[Route] = &[
    Route { path: "/toys/", methods: "GET, HEAD, OPTIONS", access: Access::Caller, slash: Slash::Needed },
    Route { path: "/toys/box/", methods: "OPTIONS, POST", access: Access::Stranger, slash: Slash::Optional },
    Route {
        path: "/toys/{id}/",
        methods: "GET, HEAD, OPTIONS",
        access: Access::Anybody,
        slash: Slash::Needed,
    },
];

#[utoipa::path]
#[get("/")]
async fn own(call: Call) -> HttpResponse {
    answer(StatusCode::OK, call.caller().map(|caller| json!({"account": caller.account})))
}

#[utoipa::path]
#[post("/box/")]
async fn boxed(call: Call) -> HttpResponse {
    let request = call.request();
    answer(StatusCode::OK, Ok(json!({"path": request.path(), "query": request.query_string()})))
}

#[utoipa::path(params(("id" = i64, Path)))]
#[get("/{id:[0-9]+}/")]
async fn one(call: Call) -> HttpResponse {
    answer(StatusCode::OK, call.anybody().map(|_| json!({"id": call.request().match_info().query("id")})))
}

/// A process with these routes.
struct Toys {
    key: SigningKey,
    gate: Arc<Gate>,
    throttles: Arc<Throttles>,
}

impl Toys {
    fn new() -> Self {
        let clock: SharedClock = Arc::new(Still);
        let rate = Rate { calls: 2, per: Duration::from_secs(60) };
        let settings =
            SignalServerSettings { throttles: true, account_rate: rate, ..SignalServerSettings::default() };
        let throttles = Arc::new(Throttles::new(&settings, Arc::clone(&clock)));
        Self {
            key: SigningKey::generate().unwrap(),
            gate: Arc::new(Gate::new(Arc::clone(&clock))),
            throttles,
        }
    }

    fn claims() -> SignalServerClaims {
        let now = NOW.as_secs();
        let (username, email) = ("alice".to_owned(), String::new());
        SignalServerClaims {
            user_id: 1,
            username,
            email,
            exp: now + 300,
            iat: now,
            sub: AccountId::new(),
            sid: SessionId::new(),
        }
    }

    fn token(&self, claims: &impl TokenClaims) -> String {
        format!("Bearer {}", sign(&self.key, claims))
    }

    async fn call(&self, request: TestRequest) -> ServiceResponse {
        let app = App::new()
            .app_data(Data::from(Arc::clone(&self.gate)))
            .app_data(Data::from(Arc::clone(&self.throttles)))
            .into_utoipa_app()
            .service(scope("/toys", ROUTES, |config| {
                config.service(own).service(boxed).service(one);
            }))
            .into_app()
            .default_service(web::to(HttpResponse::ImATeapot));
        call_service(&init_service(app).await, request.to_request()).await
    }
}

fn header<'a>(response: &'a ServiceResponse, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[actix_web::test]
async fn a_caller_is_let_in_by_a_token_of_this_kind_and_so_often() {
    let toys = Toys::new();
    let claims = Toys::claims();
    let token = toys.token(&claims);
    let call = async |token: &str| {
        let response =
            toys.call(TestRequest::get().uri("/toys/").insert_header(("Authorization", token))).await;
        (response.status().as_u16(), header(&response, "retry-after").to_owned())
    };

    assert_eq!(call(&token).await, (503, "1".to_owned()), "nobody is judged before the keys are known");
    toys.gate.set_keys([toys.key.verifying_key().clone()]);

    for wrong in ["", "Bearer", "Bearer x", &format!("{token} x"), &toys.token(&Claims { ..claims.base() })] {
        assert_eq!(call(wrong).await.0, 401, "{wrong}");
    }
    let statuses = [call(&token).await, call(&token).await, call(&token).await];
    assert_eq!(statuses, [(200, String::new()), (200, String::new()), (429, "60".to_owned())]);
    toys.gate.revoke_session(claims.sid, NOW + Duration::from_secs(600));
    assert_eq!(call(&token).await.0, 401);
}

#[actix_web::test]
async fn a_handler_sees_one_form_of_method_and_path() {
    let toys = Toys::new();

    for path in ["/toys/box", "/toys/box/"] {
        let response = toys.call(TestRequest::post().uri(&format!("{path}?a=%2F"))).await;
        let body: Value = serde_json::from_slice(&read_body(response).await).unwrap();
        assert_eq!(body, json!({"path": "/toys/box/", "query": "a=%2F"}));
    }
    let head = toys.call(TestRequest::with_uri("/toys/7/").method(Method::HEAD)).await;
    assert_eq!(head.status(), 200);
}

#[actix_web::test]
async fn what_no_handler_takes_is_answered_all_the_same() {
    let toys = Toys::new();
    toys.gate.set_keys([toys.key.verifying_key().clone()]);
    let call = async |method: Method, path: &str| {
        let response = toys.call(TestRequest::with_uri(path).method(method)).await;
        let headers = ["location", "allow"].map(|name| header(&response, name).to_owned());
        (response.status().as_u16(), headers)
    };
    let plain = |status: u16| (status, [String::new(), String::new()]);
    let allow = |status: u16, methods: &str| (status, [String::new(), methods.to_owned()]);

    assert_eq!(call(Method::GET, "/toys/7?x").await, (301, ["/toys/7/?x".to_owned(), String::new()]));
    assert_eq!(call(Method::GET, "/toys").await, (301, ["/toys/".to_owned(), String::new()]));
    assert_eq!(call(Method::PUT, "/toys/").await, plain(401));
    assert_eq!(call(Method::GET, "/toys/box/").await, allow(405, "OPTIONS, POST"));
    assert_eq!(call(Method::OPTIONS, "/toys/box").await, allow(200, "OPTIONS, POST"));
    assert_eq!(call(Method::GET, "/toys/bear/").await, plain(404));
    assert_eq!(call(Method::GET, "/toys/7/more/").await, plain(404));
    assert_eq!(call(Method::GET, "/toyshop/").await, plain(418), "not below the prefix");
}

#[actix_web::test]
async fn every_answer_is_dressed_and_any_page_may_call() {
    let toys = Toys::new();
    let from_page = |request: TestRequest| request.insert_header(("Origin", "https://app.example"));

    for request in [
        TestRequest::get().uri("/toys/box/"),
        TestRequest::get().uri("/toys/7/more/"),
        TestRequest::get().uri("/toys"),
    ] {
        let response = toys.call(from_page(request)).await;
        let names = [
            "x-frame-options",
            "referrer-policy",
            "strict-transport-security",
            "access-control-allow-origin",
        ];
        assert_eq!(names.map(|name| header(&response, name)), ["DENY", "same-origin", "", "*"]);
    }
    let preflight = TestRequest::with_uri("/toys/").method(Method::OPTIONS);
    let response =
        toys.call(from_page(preflight.insert_header(("Access-Control-Request-Method", "GET")))).await;
    assert_eq!((response.status().as_u16(), header(&response, "access-control-max-age")), (200, "86400"));
    let secure = TestRequest::get().uri("/toys/7/").insert_header(("X-Forwarded-Proto", "https"));
    assert_eq!(header(&toys.call(secure).await, "strict-transport-security"), "max-age=3600");
}
