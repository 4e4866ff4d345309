//! `/prekeybundle/{username}/{registration id}/`: what a sender needs to begin a session.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{Error, HttpResponse, get};
use common::models::SignalServerId;
use serde::Serialize;
use service::signal_server::{Access, Call, Code, Refusal, Route, Slash, answer};
use utoipa_actix_web::service_config::ServiceConfig;
use web::Rule;

use super::refusal;
use crate::app::State;
use crate::domain::signal_server::{self as domain, Bundle};

/// Every path below `/prekeybundle`.
pub(crate) const ROUTES: &[Route] = &[Route {
    path: "/prekeybundle/{username}/{registration_id:[0-9]+}/",
    methods: "GET, HEAD, OPTIONS",
    access: Access::Caller,
    slash: Slash::Needed,
}];

/// The handlers, by their paths below `/prekeybundle`.
pub(crate) fn handlers(config: &mut ServiceConfig<'_>) {
    config.service(read);
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    address: String,
    identity_key: String,
    registration_id: SignalServerId,
    pre_key: PrekeyView,
    signed_pre_key: SignedPrekeyView,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PrekeyView {
    key_id: SignalServerId,
    public_key: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SignedPrekeyView {
    key_id: SignalServerId,
    public_key: String,
    signature: String,
}

impl From<Bundle> for View {
    fn from(bundle: Bundle) -> Self {
        let Bundle { address, identity_key, registration_id, signed_prekey: signed, prekey } = bundle;
        Self {
            address,
            identity_key,
            registration_id,
            pre_key: PrekeyView { key_id: prekey.key_id, public_key: prekey.public_key },
            signed_pre_key: SignedPrekeyView {
                key_id: signed.key_id,
                public_key: signed.public_key,
                signature: signed.signature,
            },
        }
    }
}

/// Fetches the keys of a user's device, and takes one of its prekeys: each is given once, ever.
#[utoipa::path(tag = "signal_server",
    params(
        ("username" = String, Path, description = "the recipient's, percent-encoded"),
        ("registration_id" = i32, Path, description = "the caller's own"),
    ),
    responses(
        (status = 200, description = "address, identityKey, registrationId, preKey, signedPreKey"),
        (status = 400, description = "`no_device` of the caller or of the recipient, `no_recipient`, `no_prekeys`"),
        (status = 401), (status = 403, description = "`device_changed`"), (status = 404), (status = 429), (status = 503),
    ))]
#[get("/{username}/{registration_id:[0-9]+}/")]
pub(crate) async fn read(
    state: Data<State>,
    call: Call,
    path: Result<Path<(String, String)>, Error>,
) -> HttpResponse {
    answer(StatusCode::OK, fetch(&state, &call, path).await)
}

async fn fetch(
    state: &State,
    call: &Call,
    path: Result<Path<(String, String)>, Error>,
) -> Result<View, Refusal> {
    let caller = call.caller()?;
    // Whatever comes of it.
    call.throttles()?.bundle(caller.account)?;
    domain::own(state, caller.account, call.registration_id()).await.map_err(refusal)?;
    let (username, _) = path.map_err(|_| Refusal::coded(Code::NoRecipient))?.into_inner();
    let found = state.auth.signal_server_user(&username).await.map_err(|error| Refusal::of(&error))?;
    let Some(user) = found else {
        // Whoever tries names is counted; whoever writes to people is not.
        state.limits.take(Rule::SearchAccount, caller.account).map_err(|limited| Refusal::of(&limited))?;
        return Err(Refusal::coded(Code::NoRecipient));
    };
    let bundle = domain::fetch(state, caller.account, user.account_id).await.map_err(refusal)?;
    Ok(bundle.into())
}
