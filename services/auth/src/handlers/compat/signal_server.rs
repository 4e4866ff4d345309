//! `/auth`: accounts, as clients of signal_server know them. Errors of its routes are JSON objects of three forms; see
//! [`service::signal_server`].

pub(crate) mod credentials;
pub(crate) mod jwt;
pub(crate) mod page;
pub(crate) mod reset;
pub(crate) mod users;

use common::crypto::Secret;
use service::signal_server::{Access, Caller, Errors, Fields, Refusal, Route, Slash, Text};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::State;
use crate::domain::signal_server as domain;
use crate::domain::{AuthError, Password};
use crate::store::signal_server::UserRow;

/// A password is taken as it is, blanks and all.
const PASSWORD: Text = Text { least: 1, most: usize::MAX, trimmed: false };

const WRONG_PASSWORD: &str = "Invalid password.";
const NAME_TAKEN: &str = "A user with that username already exists.";

const ME: &str = "DELETE, GET, HEAD, OPTIONS, PATCH, PUT";
const POST: &str = "OPTIONS, POST";

/// Every path, and who may call it at all.
pub(crate) const ROUTES: &[Route] = &[
    route("/auth/me/", "GET, HEAD, OPTIONS, PATCH, PUT", Access::Caller, Slash::Optional),
    route("/auth/users/", "GET, HEAD, OPTIONS, POST", Access::Caller, Slash::Needed),
    route("/auth/users/create/", POST, Access::Anybody, Slash::Optional),
    route("/auth/users/delete/", POST, Access::Caller, Slash::Optional),
    route("/auth/users/activate/", POST, Access::Anybody, Slash::Optional),
    route("/auth/users/confirm/", POST, Access::Caller, Slash::Needed),
    route("/auth/users/change_username/", POST, Access::Caller, Slash::Needed),
    route("/auth/users/me/", ME, Access::Caller, Slash::Needed),
    route("/auth/users/{id:[^/.]+}/", ME, Access::Caller, Slash::Needed),
    route("/auth/username/", POST, Access::Caller, Slash::Optional),
    route("/auth/password/", POST, Access::Caller, Slash::Optional),
    route("/auth/password/reset/", POST, Access::Anybody, Slash::Optional),
    route("/auth/password/reset/confirm/", POST, Access::Anybody, Slash::Optional),
    route(
        "/auth/password/reset/confirm{uid}/{token}/",
        "GET, HEAD, OPTIONS, POST",
        Access::Stranger,
        Slash::Optional,
    ),
    route("/auth/jwt/create/", POST, Access::Stranger, Slash::Optional),
    route("/auth/jwt/verify/", POST, Access::Stranger, Slash::Optional),
    route("/auth/jwt/refresh/", POST, Access::Stranger, Slash::Optional),
];

const fn route(path: &'static str, methods: &'static str, access: Access, slash: Slash) -> Route {
    Route { path, methods, access, slash }
}

/// The handlers, by their paths below `/auth`.
pub(crate) fn handlers(config: &mut ServiceConfig<'_>) {
    config
        .service(users::create)
        .service(users::create_too)
        .service(users::list)
        .service(users::read_me)
        .service(users::update_me)
        .service(users::read_own)
        .service(users::update_own)
        .service(users::delete_own)
        .service(users::delete)
        .service(users::read_by_id)
        .service(users::update_by_id)
        .service(users::delete_by_id)
        .service(credentials::set_username)
        .service(credentials::set_username_too)
        .service(credentials::set_password)
        .service(reset::activate)
        .service(reset::activate_too)
        .service(reset::request)
        .service(reset::confirm)
        .service(page::show)
        .service(page::submit)
        .service(jwt::create)
        .service(jwt::verify)
        .service(jwt::refresh);
}

/// From an error to this wire, where a route has no word of its own for it: the only table.
fn refusal(error: AuthError) -> Refusal {
    match error {
        // Deleted a moment ago: its tokens are void.
        AuthError::NoAccount => Refusal::unauthorized("User not found."),
        AuthError::BadCredentials => wrong_password(),
        AuthError::UsernameTaken => name_taken("username"),
        other => Refusal::of(&other),
    }
}

fn wrong_password() -> Refusal {
    Refusal::field("current_password", WRONG_PASSWORD)
}

fn name_taken(field: &str) -> Refusal {
    Refusal::field(field, NAME_TAKEN)
}

/// Reads the password that is shown once more.
fn current_password(fields: &mut Fields) -> Option<String> {
    fields.text("current_password", PASSWORD)
}

/// Takes a password that is compared; one that nobody can have is a wrong one.
fn given(text: String) -> Result<Password, Refusal> {
    Password::given(text.into()).map_err(|_| wrong_password())
}

/// Takes a password that is chosen, by the rules.
fn chosen(field: &str, text: String, username: &str, email: &str) -> Result<Password, Refusal> {
    let faults = domain::password_faults(&text, username, email);
    match Password::try_from(Secret::from(text)) {
        Ok(password) if faults.is_empty() => Ok(password),
        _ => Err(faulty(field, &faults)),
    }
}

fn faulty(field: &str, faults: &[&'static str]) -> Refusal {
    let mut errors = Errors::default();
    faults.iter().for_each(|fault| errors.add(field, *fault));
    Refusal::fields(errors)
}

/// Reads the caller's own user.
async fn own(state: &State, caller: Caller) -> Result<UserRow, Refusal> {
    domain::read(state, caller.account).await.map_err(refusal)
}
