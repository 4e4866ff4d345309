//! What the stand-ins do for the interface of signal_server.

use std::collections::{HashMap, HashSet};

use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Query, delete, post, put};
use common::crypto::jws::{SignalServerClaims, sign};
use common::models::internal::CloseMailbox;
use common::models::signal_server::{
    OpenSignalServerDevice, SignalServerFound, SignalServerName, SignalServerUser,
};
use common::models::{AccountId, Generation, Problem, ProblemKind, SessionId};
use utoipa_actix_web::service_config::ServiceConfig;
use web::{Failure, InternalCaller, Json};

use super::{Peers, State, lose};

/// What they hold.
#[derive(Default)]
pub(crate) struct Held {
    /// Users, by name.
    pub(crate) users: HashMap<String, AccountId>,
    /// Queues that are open.
    pub(crate) queues: HashMap<AccountId, OpenSignalServerDevice>,
    /// Lives of devices whose queues were closed.
    pub(crate) closed: HashSet<Generation>,
}

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .route("/internal/auth/v1/signal-server/accounts", post().to(signal_server_user))
        .route("/internal/mailbox/v1/signal-server/{account}", put().to(open_queue))
        .route("/internal/mailbox/v1/signal-server/{account}", delete().to(close_queue));
}

impl State {
    /// A token of signal_server.
    fn signal_server_token(&self, account: AccountId, username: &str) -> String {
        let now = self.clock.now().as_secs();
        let claims = SignalServerClaims {
            user_id: 1,
            username: username.to_owned(),
            email: String::new(),
            exp: now + 300,
            iat: now,
            sub: account,
            sid: SessionId::new(),
        };
        sign(&self.key, &claims)
    }
}

impl Peers {
    /// A user of signal_server, and a token as a login there gives it.
    pub(crate) fn signal_server_user(&self, username: &str) -> (AccountId, String) {
        let account =
            *self.held().signal_server.users.entry(username.to_owned()).or_insert_with(AccountId::new);
        (account, self.state.signal_server_token(account, username))
    }
}

async fn signal_server_user(
    state: Data<State>,
    _: InternalCaller,
    name: Json<SignalServerName>,
) -> HttpResponse {
    let account = state.held.lock().unwrap().signal_server.users.get(&name.username).copied();
    let user = account.map(|account_id| SignalServerUser { account_id, user_id: 1 });
    HttpResponse::Ok().json(SignalServerFound { user })
}

async fn open_queue(
    state: Data<State>,
    _: InternalCaller,
    account: Path<AccountId>,
    body: Json<OpenSignalServerDevice>,
) -> Result<HttpResponse, Failure> {
    let does = state.held.lock().unwrap().open;
    state.obey(does).await?;
    {
        let mut held = state.held.lock().unwrap();
        if let Some(slug) = held.refusal {
            return Err(Failure::problem(Problem::new(ProblemKind::Conflict(slug))));
        }
        if held.signal_server.closed.contains(&body.generation) {
            return Err(Failure::problem(Problem::new(ProblemKind::Conflict("generation-closed"))));
        }
        held.signal_server.queues.insert(*account, body.into_inner());
    }
    lose(does)?;
    Ok(HttpResponse::NoContent().finish())
}

async fn close_queue(
    state: Data<State>,
    _: InternalCaller,
    account: Path<AccountId>,
    query: Query<CloseMailbox>,
) -> Result<HttpResponse, Failure> {
    let does = state.held.lock().unwrap().close;
    state.obey(does).await?;
    {
        let mut held = state.held.lock().unwrap();
        held.signal_server.closed.insert(query.generation);
        if held.signal_server.queues.get(&account).is_some_and(|queue| queue.generation == query.generation) {
            held.signal_server.queues.remove(&account);
        }
    }
    lose(does)?;
    Ok(HttpResponse::NoContent().finish())
}
