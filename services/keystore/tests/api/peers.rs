//! Stand-ins of auth and mailbox: the internal calls that keystore makes, and failures that a test scripts.

mod signal_server;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Query, delete, get, post, put};
use common::crypto::jws::{Claims, JwkSet, SigningKey, sign};
use common::models::events::AccountEvent;
use common::models::internal::{
    AccountInfo, BindDevice, CloseMailbox, OpenMailbox, Revocations, SeenDevice, SeenDevices, Tokens,
};
use common::models::{AccountId, DeviceId, Generation, Problem, ProblemKind, SessionId, SharedClock};
use testkit::host::INTERNAL_TOKEN;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use web::{Failure, HttpSettings, InternalCaller, InternalSettings, Json, Server, Service};

/// What a call does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Does {
    /// Its work.
    #[default]
    Work,
    /// Nothing: as if the service were down.
    Fail,
    /// Its work, but the answer is lost.
    WorkAndFail,
    /// Nothing and no answer, for a long time.
    Hang,
    /// Its work, once it is told to go on.
    Pause,
}

/// What the stand-ins hold.
#[derive(Default)]
pub(crate) struct Held {
    /// What auth's binding does.
    pub(crate) bind: Does,
    /// What mailbox's opening does.
    pub(crate) open: Does,
    /// What mailbox's closing does.
    pub(crate) close: Does,
    /// Whether auth can be asked for accounts.
    pub(crate) accounts: Does,
    /// Accounts that auth does not know.
    pub(crate) gone: HashSet<AccountId>,
    /// Why mailbox refuses to open any, with 409.
    pub(crate) refusal: Option<&'static str>,
    /// When auth saw the devices of any account.
    pub(crate) seen: Vec<SeenDevice>,
    /// Sessions and their devices.
    pub(crate) bound: HashMap<SessionId, DeviceId>,
    /// What they hold for the interface of signal_server.
    pub(crate) signal_server: signal_server::Held,
    /// Mailboxes that are open.
    pub(crate) mailboxes: HashMap<(AccountId, DeviceId), (Generation, i32)>,
    /// Events that auth and mailbox were told of, with the name of each.
    pub(crate) nudges: Vec<(&'static str, AccountEvent)>,
}

pub(crate) struct State {
    held: Mutex<Held>,
    /// A call hangs, or pauses.
    pub(crate) hanging: Notify,
    /// A call that pauses goes on.
    pub(crate) going_on: Notify,
    key: SigningKey,
    clock: SharedClock,
}

impl State {
    /// An access token.
    fn token(&self, account: AccountId, session: SessionId, device: Option<DeviceId>) -> String {
        let now = self.clock.now().as_secs();
        sign(&self.key, &Claims { sub: account, sid: session, did: device, iat: now, exp: now + 900 })
    }

    pub(super) async fn obey(&self, does: Does) -> Result<(), Failure> {
        match does {
            Does::Work | Does::WorkAndFail => Ok(()),
            Does::Fail => Err(down()),
            Does::Hang => {
                self.hanging.notify_one();
                tokio::time::sleep(Duration::from_secs(600)).await;
                Err(down())
            }
            Does::Pause => {
                self.hanging.notify_one();
                self.going_on.notified().await;
                Ok(())
            }
        }
    }
}

fn down() -> Failure {
    Failure::problem(Problem::new(ProblemKind::Unavailable))
}

fn lose(does: Does) -> Result<(), Failure> {
    if does == Does::WorkAndFail { Err(down()) } else { Ok(()) }
}

/// Both stand-ins, behind one listener, on a thread of their own.
pub(crate) struct Peers {
    pub(crate) url: String,
    pub(crate) state: Arc<State>,
    stop: CancellationToken,
    _thread: JoinHandle<()>,
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Peers {
    pub(crate) async fn start(clock: SharedClock) -> Self {
        let key = SigningKey::generate().unwrap();
        let (hanging, going_on) = (Notify::new(), Notify::new());
        let state = Arc::new(State { held: Mutex::default(), hanging, going_on, key, clock });
        let (stop, held) = (CancellationToken::new(), Arc::clone(&state));
        let (announce, announced) = tokio::sync::oneshot::channel();
        let stopped = stop.clone().cancelled_owned();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
                let http =
                    HttpSettings { listen: any, drain_delay: Duration::ZERO, ..HttpSettings::default() };
                let internal =
                    InternalSettings { listen: any, token: Some(INTERNAL_TOKEN.into()), admin_token: None };
                let server = Server::bind(&http, &internal).unwrap().host([service(held)]);
                announce.send(format!("http://{}", server.internal_addr())).unwrap();
                server.run_until(stopped).await.unwrap();
            });
        });
        Self { url: announced.await.unwrap(), state, stop, _thread: thread }
    }

    /// What they hold, to be read or scripted.
    pub(crate) fn held(&self) -> MutexGuard<'_, Held> {
        self.state.held.lock().unwrap()
    }

    /// A token as a login gives it.
    pub(crate) fn log_in(&self, account: AccountId) -> (SessionId, String) {
        let session = SessionId::new();
        (session, self.state.token(account, session, None))
    }
}

fn service(state: Arc<State>) -> Service {
    let mut service = Service::new("auth");
    let state = Data::from(state);
    service.internal = web::routes(move |config| {
        config
            .app_data(state.clone())
            .route("/.well-known/jwks.json", get().to(jwks))
            .route("/internal/auth/v1/revocations", get().to(revocations))
            .route("/internal/auth/v1/sessions/{session}/device", post().to(bind))
            .route("/internal/auth/v1/accounts/{account}", get().to(account))
            .route("/internal/auth/v1/accounts/{account}/devices", get().to(seen))
            .configure(signal_server::routes)
            .route("/internal/auth/v1/nudge", post().to(nudge_auth))
            .route("/internal/mailbox/v1/nudge", post().to(nudge_mailbox))
            .route("/internal/mailbox/v1/mailboxes/{account}/{device}", put().to(open))
            .route("/internal/mailbox/v1/mailboxes/{account}/{device}", delete().to(close));
    });
    service
}

async fn jwks(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(JwkSet { keys: vec![state.key.verifying_key().to_jwk()] })
}

async fn revocations(_: InternalCaller) -> HttpResponse {
    HttpResponse::Ok().json(Revocations::default())
}

async fn bind(
    state: Data<State>,
    _: InternalCaller,
    session: Path<SessionId>,
    body: Json<BindDevice>,
) -> Result<HttpResponse, Failure> {
    let (session, BindDevice { account_id, device_id }) = (*session, body.into_inner());
    let does = state.held.lock().unwrap().bind;
    state.obey(does).await?;
    {
        let mut held = state.held.lock().unwrap();
        if held.gone.contains(&account_id) {
            return Err(Failure::problem(Problem::new(ProblemKind::NotFound("session-not-found"))));
        }
        if *held.bound.entry(session).or_insert(device_id) != device_id {
            return Err(Failure::problem(Problem::new(ProblemKind::Conflict("session-bound"))));
        }
    }
    lose(does)?;
    let access_token = state.token(account_id, session, Some(device_id)).into();
    let refresh_token = format!("refresh of {session}").into();
    Ok(HttpResponse::Ok().json(Tokens { access_token, refresh_token, expires_in: 900 }))
}

async fn account(
    state: Data<State>,
    _: InternalCaller,
    account: Path<AccountId>,
) -> Result<HttpResponse, Failure> {
    let (does, gone) = {
        let held = state.held.lock().unwrap();
        (held.accounts, held.gone.contains(&account))
    };
    state.obey(does).await?;
    if gone {
        return Err(Failure::problem(Problem::new(ProblemKind::NotFound("account-not-found"))));
    }
    Ok(HttpResponse::Ok().json(AccountInfo { account_id: *account }))
}

async fn seen(state: Data<State>, _: InternalCaller) -> Result<HttpResponse, Failure> {
    let (does, devices) = {
        let held = state.held.lock().unwrap();
        (held.accounts, held.seen.clone())
    };
    state.obey(does).await?;
    Ok(HttpResponse::Ok().json(SeenDevices { devices }))
}

async fn open(
    state: Data<State>,
    _: InternalCaller,
    path: Path<(AccountId, DeviceId)>,
    body: Json<OpenMailbox>,
) -> Result<HttpResponse, Failure> {
    let does = state.held.lock().unwrap().open;
    state.obey(does).await?;
    if let Some(slug) = state.held.lock().unwrap().refusal {
        return Err(Failure::problem(Problem::new(ProblemKind::Conflict(slug))));
    }
    let opened = (body.generation, body.registration_id.as_i32());
    state.held.lock().unwrap().mailboxes.insert(*path, opened);
    lose(does)?;
    Ok(HttpResponse::NoContent().finish())
}

async fn close(
    state: Data<State>,
    _: InternalCaller,
    path: Path<(AccountId, DeviceId)>,
    query: Query<CloseMailbox>,
) -> Result<HttpResponse, Failure> {
    let does = state.held.lock().unwrap().close;
    state.obey(does).await?;
    let mut held = state.held.lock().unwrap();
    if held.mailboxes.get(&path).is_some_and(|(generation, _)| *generation == query.generation) {
        held.mailboxes.remove(&path);
    }
    drop(held);
    lose(does)?;
    Ok(HttpResponse::NoContent().finish())
}

async fn nudge_auth(state: Data<State>, _: InternalCaller, event: Json<AccountEvent>) -> HttpResponse {
    state.held.lock().unwrap().nudges.push(("auth", event.into_inner()));
    HttpResponse::NoContent().finish()
}

async fn nudge_mailbox(state: Data<State>, _: InternalCaller, event: Json<AccountEvent>) -> HttpResponse {
    state.held.lock().unwrap().nudges.push(("mailbox", event.into_inner()));
    HttpResponse::NoContent().finish()
}
