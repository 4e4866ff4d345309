//! `/users`: accounts, as clients of Woosh know them.

use actix_web::http::StatusCode;
use actix_web::web::{self as actix, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, get, post};
use common::crypto::secret::Secret;
use serde::Serialize;
use serde_json::Value;
use service::woosh::{self as wire, Body, Credentials, Fields, Refusal, answer, query, text};
use web::{ClientAddr, Rule};

use crate::app::State;
use crate::domain::woosh::{self, NewWooshAccount, WooshAccount};
use crate::domain::{AuthError, Password};

const BAD_USERNAME: &str =
    "bad username, should be alphanumeric, not shorter than 3 and not longer than 32 characters";
const NO_UPDATE: &str = "the request did not contain any user updates. if you wish to just view it, please use the \
    `get` method.";
const NO_FRIEND: &str = "missing field \"username\" in querystring: name of the friend to find";

/// From an error to this wire: the only table.
fn refusal(error: AuthError) -> Refusal {
    match error {
        AuthError::BadCredentials => Refusal::unauthorized(),
        AuthError::UsernameTaken => Refusal::invalid("username is already in use"),
        AuthError::NoAccount => Refusal::not_found("user not found"),
        other => Refusal::of(&other),
    }
}

/// A user, as everybody may see it.
#[derive(Debug, Serialize)]
struct PublicView {
    id: i64,
    username: String,
    public_key: String,
}

/// A user, as its owner sees it.
#[derive(Debug, Serialize)]
struct PrivateView {
    #[serde(flatten)]
    public: PublicView,
    private_key: String,
    info: String,
}

impl PrivateView {
    fn new(account: WooshAccount) -> Self {
        let WooshAccount { id, username, public_key, private_key, info, .. } = account;
        Self { public: PublicView { id, username, public_key }, private_key, info }
    }
}

/// Makes a user. Errors of this and the other routes below are `{"status", "message"}`.
#[utoipa::path(tag = "woosh", responses(
    (status = 201, description = "id, username, public_key, private_key, info"),
    (status = 400, description = "a field is missing or breaks its rule, or the name is taken"),
    (status = 403, description = "registration is not open"),
    (status = 413), (status = 429), (status = 503),
))]
#[post("/users")]
pub(crate) async fn register(state: Data<State>, client: ClientAddr, body: Body) -> HttpResponse {
    answer(StatusCode::CREATED, make(&state, client, body).await)
}

async fn make(state: &State, client: ClientAddr, body: Body) -> Result<PrivateView, Refusal> {
    let fields = Fields::read(body)?;
    let username = fields.required("username", "unique name of user")?;
    let public_key = fields.required("public_key", "public rsa key of user (plain)")?;
    let private_key = fields.required("private_key", "secret rsa key of user (encrypted)")?;
    let password = fields.required("password", "desired password")?;
    let info = fields.get("info").map_or_else(|| Ok(String::new()), |info| text("info", info, 0))?;
    let new = NewWooshAccount {
        username: username
            .as_str()
            .and_then(|name| name.parse().ok())
            .ok_or_else(|| Refusal::invalid(BAD_USERNAME))?,
        public_key: text("public_key", public_key, 1)?,
        private_key: text("private_key", private_key, 1)?,
        password: read_password(password)?,
        info,
    };
    state
        .limits
        .take(Rule::RegistrationAddress, client.network())
        .map_err(|limited| Refusal::of(&limited))?;
    let made = woosh::register(state, new).await.map_err(refusal)?;
    state.metrics.registrations_total.inc();
    Ok(PrivateView::new(made))
}

fn read_password(value: &Value) -> Result<Password, Refusal> {
    let given = value.as_str().and_then(|text| Password::given(Secret::from(text)).ok());
    given.ok_or_else(|| Refusal::invalid("invalid field \"password\": text of 1 to 1024 bytes expected"))
}

/// Reads the caller's own user; this is how clients try credentials.
#[utoipa::path(tag = "woosh", responses(
    (status = 200, description = "id, username, public_key, private_key, info"),
    (status = 401), (status = 429), (status = 503),
))]
#[get("/users/me")]
pub(crate) async fn read(state: Data<State>, client: ClientAddr, request: HttpRequest) -> HttpResponse {
    own(state, client, request).await
}

async fn own(state: Data<State>, client: ClientAddr, request: HttpRequest) -> HttpResponse {
    answer(StatusCode::OK, caller(&state, client, &request).await.map(PrivateView::new))
}

/// Replaces the caller's `info`.
#[utoipa::path(tag = "woosh", responses(
    (status = 200, description = "id, username, public_key, private_key, info"),
    (status = 400), (status = 401), (status = 413), (status = 429), (status = 503),
))]
#[post("/users/me")]
pub(crate) async fn update(
    state: Data<State>,
    client: ClientAddr,
    request: HttpRequest,
    body: Body,
) -> HttpResponse {
    answer(StatusCode::OK, change(&state, client, &request, body).await)
}

async fn change(
    state: &State,
    client: ClientAddr,
    request: &HttpRequest,
    body: Body,
) -> Result<PrivateView, Refusal> {
    let caller = caller(state, client, request).await?;
    let fields = Fields::read(body)?;
    let info = text("info", fields.get("info").ok_or_else(|| Refusal::invalid(NO_UPDATE))?, 0)?;
    Ok(PrivateView::new(woosh::set_info(state, caller, info).await.map_err(refusal)?))
}

/// Finds a user by its exact name.
#[utoipa::path(tag = "woosh", params(("username" = String, Query, description = "the name, in its letter case")),
    responses(
        (status = 200, description = "id, username, public_key"),
        (status = 400), (status = 401), (status = 404), (status = 429), (status = 503),
    ))]
#[get("/users/friends")]
pub(crate) async fn find(state: Data<State>, client: ClientAddr, request: HttpRequest) -> HttpResponse {
    friend(state, client, request).await
}

async fn friend(state: Data<State>, client: ClientAddr, request: HttpRequest) -> HttpResponse {
    answer(StatusCode::OK, look_for(&state, client, &request).await)
}

async fn look_for(state: &State, client: ClientAddr, request: &HttpRequest) -> Result<PublicView, Refusal> {
    let caller = caller(state, client, request).await?;
    let username = query(request, "username").ok_or_else(|| Refusal::invalid(NO_FRIEND))?;
    state.limits.take(Rule::SearchAccount, caller.account).map_err(|limited| Refusal::of(&limited))?;
    Ok(PrivateView::new(woosh::find(state, &username).await.map_err(refusal)?).public)
}

/// Who asks, by the credentials in the headers.
async fn caller(state: &State, client: ClientAddr, request: &HttpRequest) -> Result<WooshAccount, Refusal> {
    let Credentials { username, token } = Credentials::of(request).ok_or_else(Refusal::unauthorized)?;
    woosh::authenticate(state, client.network(), &username, token).await.map_err(refusal)
}

/// What the routes above leave of these paths, and of what is below them.
pub(crate) fn rest(config: &mut ServiceConfig) -> &mut ServiceConfig {
    config
        .service(wire::rest("/users", "OPTIONS, POST"))
        .service(wire::rest("/users/me", "GET, HEAD, OPTIONS, POST").route(actix::head().to(own)))
        .service(wire::rest("/users/friends", "GET, HEAD, OPTIONS").route(actix::head().to(friend)))
        .service(wire::nothing_below("/users"))
}
