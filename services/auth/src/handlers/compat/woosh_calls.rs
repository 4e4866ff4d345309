//! Calls of mailbox, which has the messages of Woosh and knows no names.

use actix_web::post;
use actix_web::web::Data;
use common::models::Problem;
use common::models::woosh::{
    NamedAccount, WooshAccounts, WooshCredentials, WooshFound, WooshName, WooshNames,
};
use web::{Failure, InternalCaller, Json};

use crate::app::State;
use crate::domain::{AuthError, woosh};
use crate::handlers::whole_seconds;

/// Most accounts of one call.
const MOST: usize = 100;

/// Tells whose name and password these are.
#[utoipa::path(tag = "internal", request_body = WooshCredentials, responses(
    (status = 200, body = WooshFound),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[post("/internal/auth/v1/woosh/credentials")]
pub(crate) async fn credentials(
    state: Data<State>,
    _: InternalCaller,
    body: Json<WooshCredentials>,
) -> Result<Json<WooshFound>, Failure> {
    let WooshCredentials { username, token, network } = body.into_inner();
    // Refusals are answers here: a 401 or a 429 would be about the service that calls.
    let found = match woosh::authenticate(&state, network, &username, token).await {
        Ok(known) => WooshFound { account_id: Some(known.account), retry_after: None },
        Err(AuthError::BadCredentials) => WooshFound { account_id: None, retry_after: None },
        Err(AuthError::TooManyAttempts { retry_after }) => {
            WooshFound { account_id: None, retry_after: Some(whole_seconds(retry_after)) }
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Json(found))
}

/// Finds the account that has a name, exactly.
#[utoipa::path(tag = "internal", request_body = WooshName, responses(
    (status = 200, body = WooshFound),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[post("/internal/auth/v1/woosh/accounts")]
pub(crate) async fn account(
    state: Data<State>,
    _: InternalCaller,
    body: Json<WooshName>,
) -> Result<Json<WooshFound>, Failure> {
    match woosh::find(&state, &body.username).await {
        Ok(found) => Ok(Json(WooshFound { account_id: Some(found.account), retry_after: None })),
        Err(AuthError::NoAccount) => Ok(Json(WooshFound { account_id: None, retry_after: None })),
        Err(error) => Err(error.into()),
    }
}

/// Gives the names of accounts.
#[utoipa::path(tag = "internal", request_body = WooshAccounts, responses(
    (status = 200, body = WooshNames),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 503, body = Problem),
))]
#[post("/internal/auth/v1/woosh/names")]
pub(crate) async fn names(
    state: Data<State>,
    _: InternalCaller,
    body: Json<WooshAccounts>,
) -> Result<Json<WooshNames>, Failure> {
    let WooshAccounts { account_ids } = body.into_inner();
    if account_ids.len() > MOST {
        return Err(Failure::invalid("/accountIds", format!("expected {MOST} at most")));
    }
    let names = woosh::names(&state, account_ids).await?;
    let named = |(account_id, username)| NamedAccount { account_id, username };
    Ok(Json(WooshNames { names: names.into_iter().map(named).collect() }))
}
