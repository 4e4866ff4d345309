//! `/v2/sync/users/...`: how an app synchronizes. What differs is in `docs/compat/sync-gateway.md`.

use actix_web::http::header::{CACHE_CONTROL, ContentType};
use actix_web::web::{Data, Path, Payload};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, get, post};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use common::crypto::oaep::MaskHash;
use common::models::gateway::Seed;
use common::models::{Problem, ProblemKind};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;
use web::{Caller, ClientAddr, Failure, Rule};

use super::lenient_json;
use super::refusal::Refusal;
use crate::app::State;
use crate::delivery::{Base, verification_path};
use crate::domain::verify::{Proof, Synchronized};
use crate::domain::{SyncError, SyncId, UserId, handshake, sessions, verify};
use crate::settings::Start;

const NO_SESSION: &str = "invalid session requested";
const NO_HANDSHAKE: &str = "failed to update user's public key";

/// Starts a session, and tells where it is shown: the URL of a websocket, as text.
#[utoipa::path(tag = "sync", params(("user" = String, Path)), responses(
    (status = 200, description = "the URL of the session's websocket", content_type = "text/plain", body = String),
    (status = 401, body = Problem, description = "not logged in as this user, where that is needed"),
    (status = 429, description = "text"),
    (status = 503, description = "empty"),
), security(("session" = []), ()))]
#[get("/v2/sync/users/{user}")]
pub(crate) async fn start(
    state: Data<State>,
    user: Path<String>,
    client: ClientAddr,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let user = user.parse::<UserId>();
    if state.settings.start() == Start::Login {
        let caller = Caller::extract(&request).await?;
        if user.as_ref().map(UserId::as_str) != Ok(caller.account.as_str()) {
            let problem = Problem::new(ProblemKind::Unauthenticated);
            return Err(Failure::problem(problem.with_detail("log in as this user")));
        }
    }
    let Ok(user) = user else { return Ok(Refusal::bad_request("invalid user").into_response()) };
    let started = async {
        state.limits.take(Rule::SyncStartAddress, client.network())?;
        state.limits.take(Rule::SyncStartUser, user.as_str())?;
        sessions::start(&state, user.clone()).await
    };
    Ok(match started.await {
        Ok(id) => {
            let base = Base::of(state.public_url.as_ref(), &request);
            let url = base.subscription(&user, &id);
            HttpResponse::Ok()
                .insert_header((CACHE_CONTROL, "no-store"))
                .content_type(ContentType::plaintext())
                .body(url)
        }
        Err(error) => Refusal::of(&error, NO_SESSION).into_response(),
    })
}

/// Takes the public key of a device that has seen the session's URL. JSON whatever the content type says, with
/// `public_key`; line ends within it may be raw.
#[utoipa::path(tag = "sync", params(("user" = String, Path), ("session" = String, Path)), responses(
    (status = 200, description = "`public_key`, `verification_url`"),
    (status = 400, description = "text"),
    (status = 409, description = "text: the session has another key, or is done"),
    (status = 413, description = "text"),
    (status = 429, description = "text"),
    (status = 503, description = "empty"),
))]
#[post("/v2/sync/users/{user}/sessions/{session}/handshake")]
pub(crate) async fn exchange(
    state: Data<State>,
    path: Path<(String, String)>,
    client: ClientAddr,
    body: Payload,
) -> HttpResponse {
    let (user, session) = path.into_inner();
    let exchanged = async {
        limit(&state, &user, client)?;
        let body = read(&state, body).await?;
        let Handshake { public_key } =
            lenient_json::parse_object(&body).map_err(|_| Refusal::bad_request("poorly formed json"))?;
        let public_key = public_key.ok_or_else(|| Refusal::bad_request("missing public key"))?;
        let (Ok(user), Ok(shown)) = (user.parse::<UserId>(), session.parse::<SyncId>()) else {
            return Err(Refusal::bad_request(NO_HANDSHAKE));
        };
        let exchanged = handshake::exchange(&state, user.clone(), shown.clone(), &public_key).await;
        exchanged.map_err(|error| Refusal::of(&error, NO_HANDSHAKE))?;
        Ok(json!({
            "public_key": state.key.public().to_pem(),
            "verification_url": verification_path(&user, &shown),
        }))
    };
    match exchanged.await {
        Ok(answer) => HttpResponse::Ok().json(answer),
        Err(refusal) => refusal.into_response(),
    }
}

/// Takes the user's password, and gives the device its shared key. JSON with `password`, and perhaps `decryption_hash`
/// and `encryption_hash`, or by their later names `mgf1ParameterSpec` and `mgf1ParameterSpec_dec`.
#[utoipa::path(tag = "sync", params(("user" = String, Path), ("session" = String, Path)), responses(
    (status = 200, description = "`shared_key`, `user_platforms`, `seeds_url`, `gateway_clients`"),
    (status = 400, description = "text"),
    (status = 401, description = "text: `failed to authenticate`"),
    (status = 413, description = "text"),
    (status = 429, description = "text"),
    (status = 503, description = "empty"),
))]
#[post("/v2/sync/users/{user}/sessions/{session}")]
pub(crate) async fn synchronize(
    state: Data<State>,
    path: Path<(String, String)>,
    client: ClientAddr,
    request: HttpRequest,
    body: Payload,
) -> HttpResponse {
    let (user, session) = path.into_inner();
    let verified = async {
        limit(&state, &user, client)?;
        let body = read(&state, body).await?;
        let proof = proof(&request, &body, client)?;
        let user = user.parse::<UserId>().map_err(|_| Refusal::of(&SyncError::WrongPassword, NO_SESSION))?;
        let verified = verify::verify(&state, user, session.parse().ok(), proof).await;
        verified.map_err(|error| Refusal::of(&error, NO_SESSION))
    };
    match verified.await {
        Ok(Synchronized { shared_key, platforms }) => {
            let seeds = state.settings.seeds_url.as_ref().map(ToString::to_string);
            let seeds = seeds.unwrap_or_else(|| Base::of(state.public_url.as_ref(), &request).seeds());
            HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(json!({
                "shared_key": base64::engine::general_purpose::STANDARD.encode(shared_key),
                "user_platforms": platforms,
                "seeds_url": seeds,
                "gateway_clients": gateway_clients(&state).await,
            }))
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// The modems that are there. A device that has its key does not wait for them: it finds them at `seeds_url`, too.
async fn gateway_clients(state: &State) -> Vec<Seed> {
    match timeout(state.settings.seeds_timeout, state.relay.seeds()).await {
        Ok(Ok(seeds)) => seeds,
        Ok(Err(error)) => {
            tracing::warn!(%error, "a device gets no list of gateway clients: relay has not told it");
            Vec::new()
        }
        Err(_) => {
            tracing::warn!("a device gets no list of gateway clients: relay was too slow");
            Vec::new()
        }
    }
}

/// The body of a handshake; other fields are ignored.
#[derive(Deserialize)]
struct Handshake {
    public_key: Option<String>,
}

/// The body of a verification; other fields are ignored. No `Debug`: the password is encrypted, but that is all.
#[derive(Deserialize)]
struct Verification {
    password: Option<String>,
    decryption_hash: Option<String>,
    encryption_hash: Option<String>,
    /// The later name of `decryption_hash`. Not an alias: who sends both names is not refused for it.
    #[serde(rename = "mgf1ParameterSpec")]
    password_mask: Option<String>,
    /// The later name of `encryption_hash`: the phone decrypts what is encrypted here.
    #[serde(rename = "mgf1ParameterSpec_dec")]
    key_mask: Option<String>,
}

fn proof(request: &HttpRequest, body: &[u8], client: ClientAddr) -> Result<Proof, Refusal> {
    let invalid = || Refusal::bad_request("invalid json");
    if !request.content_type().eq_ignore_ascii_case("application/json") {
        return Err(invalid());
    }
    let wanted: Verification = lenient_json::parse_object(body).map_err(|_| invalid())?;
    let password = wanted.password.ok_or_else(|| Refusal::bad_request("missing password"))?;
    let password = decode(&password).ok_or_else(|| Refusal::bad_request("invalid base64"))?;
    Ok(Proof {
        password,
        password_mask: mask(wanted.decryption_hash.or(wanted.password_mask).as_deref()),
        key_mask: mask(wanted.encryption_hash.or(wanted.key_mask).as_deref()),
        network: client.network(),
    })
}

/// The hash of the mask by its name: SHA-1 if none is given, SHA-256 for every other name.
fn mask(name: Option<&str>) -> MaskHash {
    match name {
        None | Some("sha1") => MaskHash::Sha1,
        Some(_) => MaskHash::Sha256,
    }
}

/// Reads base64 and overlooks what is none: line ends, most of all.
fn decode(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let known = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/');
    let digits: Vec<u8> = text.bytes().filter(known).collect();
    LENIENT.decode(digits).ok()
}

fn limit(state: &State, user: &str, client: ClientAddr) -> Result<(), Refusal> {
    let taken = state
        .limits
        .take(Rule::SyncAddress, client.network())
        .and_then(|()| state.limits.take(Rule::SyncUser, user));
    taken.map_err(|limited| Refusal::of(&limited.into(), NO_SESSION))
}

async fn read(state: &State, body: Payload) -> Result<Bytes, Refusal> {
    match body.to_bytes_limited(state.settings.max_body_bytes).await {
        Ok(Ok(body)) => Ok(body),
        // A body that breaks off is no JSON, and its sender hears nothing of it anyway.
        Ok(Err(_)) => Ok(Bytes::new()),
        Err(_) => Err(Refusal::too_large()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_with_stray_characters_and_without_its_padding() {
        for text in ["aGkh", "aG\nkh", " a-G.k h=", "aGkh===="] {
            assert_eq!(decode(text).as_deref(), Some(&b"hi!"[..]), "{text:?}");
        }
        assert_eq!(decode("aGk").as_deref(), Some(&b"hi"[..]));
        assert_eq!(decode("").as_deref(), Some(&b""[..]));
        assert_eq!(decode("a"), None);
    }

    #[test]
    fn the_mask_is_sha1_unless_another_hash_is_named() {
        for (name, expected) in [
            (None, MaskHash::Sha1),
            (Some("sha1"), MaskHash::Sha1),
            (Some("sha256"), MaskHash::Sha256),
            (Some("SHA1"), MaskHash::Sha256),
            (Some(""), MaskHash::Sha256),
        ] {
            assert_eq!(mask(name), expected, "{name:?}");
        }
    }
}
