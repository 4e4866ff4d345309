//! The page that the link of a mail leads to, for users whose application does not take the link itself. No script, and
//! nothing of what comes in goes out.

use actix_web::http::{StatusCode, header};
use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use service::signal_server::{Call, Fields, Refusal};

use super::{PASSWORD, refusal};
use crate::app::State;
use crate::domain::signal_server::{self as domain, ResetKey, UsedKey};

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width\"><title>New password</title>";
const FORM: &str = "<form method=\"post\">\
    <p><label>New password <input type=\"password\" name=\"new_password1\" autocomplete=\"new-password\" required></label>\
    <p><label>The same again <input type=\"password\" name=\"new_password2\" autocomplete=\"new-password\" required></label>\
    <p><button>Set password</button></form>";
const USELESS: &str = "<p>This link is not valid. Perhaps it was used already, or it is too old.";
const DONE: &str = "<p>The new password is set. You can log in with it.";
const DIFFERENT: &str = "The two passwords are not the same.";

/// Shows the page on which the reader of a mail chooses a new password.
#[utoipa::path(tag = "signal_server", params(
    ("uid" = String, Path, description = "out of a mail"), ("token" = String, Path, description = "out of a mail"),
), responses((status = 200, content_type = "text/html"), (status = 429), (status = 503)))]
#[get("/password/reset/confirm{uid}/{token}/")]
pub(crate) async fn show(state: Data<State>, call: Call) -> HttpResponse {
    page(look(&state, &call).await)
}

async fn look(state: &State, call: &Call) -> Result<String, Refusal> {
    call.stranger()?;
    let usable = domain::is_usable(state, &key(call)).await.map_err(refusal)?;
    Ok(if usable { FORM } else { USELESS }.to_owned())
}

/// Takes the form of that page: `new_password1`, and the same as `new_password2`.
#[utoipa::path(tag = "signal_server", params(
    ("uid" = String, Path, description = "out of a mail"), ("token" = String, Path, description = "out of a mail"),
), responses((status = 200, content_type = "text/html"), (status = 400), (status = 415), (status = 429), (status = 503)))]
#[post("/password/reset/confirm{uid}/{token}/")]
pub(crate) async fn submit(state: Data<State>, call: Call) -> HttpResponse {
    page(set(&state, call).await)
}

async fn set(state: &State, call: Call) -> Result<String, Refusal> {
    call.stranger()?;
    let request = call.request().clone();
    let mut fields = Fields::of(call.body().await?)?;
    let [one, other] = ["new_password1", "new_password2"].map(|name| fields.text(name, PASSWORD));
    let (new, again) = fields.complete(one.zip(other))?;
    if new != again {
        return Ok(form_after(&[DIFFERENT]));
    }
    let info = request.match_info();
    let key = ResetKey { uid: info.query("uid"), token: info.query("token") };
    Ok(match domain::reset(state, key, &new).await.map_err(refusal)? {
        UsedKey::Reset => DONE.to_owned(),
        UsedKey::UnknownUser | UsedKey::BadToken => USELESS.to_owned(),
        UsedKey::Faults(faults) => form_after(&faults),
    })
}

fn key(call: &Call) -> ResetKey<'_> {
    let info = call.request().match_info();
    ResetKey { uid: info.query("uid"), token: info.query("token") }
}

fn form_after(faults: &[&str]) -> String {
    let list: String = faults.iter().map(|fault| format!("<li>{fault}")).collect();
    format!("<ul>{list}</ul>{FORM}")
}

fn page(outcome: Result<String, Refusal>) -> HttpResponse {
    match outcome {
        Ok(body) => HttpResponse::build(StatusCode::OK)
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
            ))
            .body(format!("{HEAD}{body}</html>")),
        Err(refusal) => refusal.into_response(),
    }
}
