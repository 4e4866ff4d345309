//! Which gateway client calls, by HTTP Basic (RFC 7617): its id and its secret.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use web::Rule;
use zeroize::Zeroizing;

use crate::app::State;
use crate::domain::{RelayError, clients};
use crate::store::clients::ClientRow;

/// Finds the client that calls, and counts the call.
///
/// # Errors
/// [`RelayError::BadCredentials`] without credentials, or with wrong ones; [`RelayError::Limited`].
pub(super) async fn caller(state: &State, request: &HttpRequest) -> Result<ClientRow, RelayError> {
    let given = credentials(request).ok_or(RelayError::BadCredentials)?;
    let (id, secret) = given.split_once(':').ok_or(RelayError::BadCredentials)?;
    let client = clients::authenticate(state, id, secret).await?;
    state.limits.take(Rule::GatewayClient, client.client_id)?;
    Ok(client)
}

fn credentials(request: &HttpRequest) -> Option<Zeroizing<String>> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let octets = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(encoded.trim()).ok())??;
    Some(Zeroizing::new(String::from_utf8(octets).ok()?))
}
