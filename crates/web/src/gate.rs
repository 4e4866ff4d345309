//! Who may come in: access tokens, verified offline, and what has been revoked since they were issued.
//!
//! One gate serves a whole process. In: auth's public keys and revocations, which a task of the host keeps fresh. Out:
//! a [`Caller`] for a token, and a [`Watch`] that tells a long-lived connection at once when its caller is revoked.
//! What must hold: a revocation that is recorded refuses every token it covers from then on, cached or not.

mod cache;
mod revoked;
mod watch;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use common::{
    crypto::jws::{self, Claims, JwsError, TokenClaims, VerifyingKey},
    models::{AccountId, AsProblem, DeviceId, ProblemKind, SessionId, SharedClock, UnixMillis},
};
use tokio::sync::Notify;

pub use self::watch::Watch;
use self::{cache::Cache, revoked::Revoked, watch::Watches};
use crate::Caller;

/// Why a token lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// The token is missing, malformed, forged, expired or revoked; which of these is not told.
    #[error("a valid access token is needed")]
    Refused,
    /// The keys are not known yet, so no token can be judged.
    #[error("the keys of access tokens are not known yet")]
    NotReady,
}

impl AsProblem for GateError {
    fn kind(&self) -> ProblemKind {
        match self {
            Self::Refused => ProblemKind::Unauthenticated,
            Self::NotReady => ProblemKind::Unavailable,
        }
    }
}

/// Judges access tokens. Shared by all services of a process, as `Arc<Gate>`.
pub struct Gate {
    clock: SharedClock,
    keys: RwLock<HashMap<String, VerifyingKey>>,
    revoked: RwLock<Revoked>,
    cache: Mutex<Cache>,
    watches: Arc<Watches>,
    unknown_key: Notify,
}

impl Gate {
    /// Makes a gate that knows no keys yet.
    pub fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            keys: RwLock::default(),
            revoked: RwLock::default(),
            cache: Mutex::new(Cache::default()),
            watches: Arc::default(),
            unknown_key: Notify::new(),
        }
    }

    /// Replaces the keys. Tokens signed by a key that is gone are refused from now on.
    pub fn set_keys(&self, keys: impl IntoIterator<Item = VerifyingKey>) {
        let keys: HashMap<_, _> = keys.into_iter().map(|key| (key.kid().to_owned(), key)).collect();
        let mut held = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if *held != keys {
            *held = keys;
            self.cache().clear();
        }
    }

    /// Tells whether tokens can be judged.
    pub fn ready(&self) -> bool {
        !self.keys.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Waits for a token that names a key which is not known: perhaps a new one of auth's. One that came since the last
    /// call counts. Anybody can cause it, so do not act on it without a pause.
    pub async fn unknown_key(&self) {
        self.unknown_key.notified().await;
    }

    /// Refuses the tokens of a session. `until`: when the last of them expires by itself.
    pub fn revoke_session(&self, session: SessionId, until: UnixMillis) {
        self.revoke(|revoked| revoked.session(session, until));
        self.watches.end_session(session);
    }

    /// Refuses all tokens of an account, as when it was deleted.
    pub fn revoke_account(&self, account: AccountId, until: UnixMillis) {
        self.revoke(|revoked| revoked.account(account, until));
        self.watches.end_account(account);
    }

    /// Refuses the tokens by which a session speaks for a device. Those that it had before stay, and so do those of another
    /// session, for which the same device id is registered again.
    pub fn revoke_device_of(&self, of: (SessionId, DeviceId), until: UnixMillis) {
        self.revoke(|revoked| revoked.device_of(of, until));
        self.watches.end_device_of(of);
    }

    /// The same where the session is not known: refuses the tokens of a device that were issued up to `removed_at`, as far
    /// as the clocks of two machines agree.
    pub fn revoke_device(&self, of: (AccountId, DeviceId), removed_at: UnixMillis, until: UnixMillis) {
        self.revoke(|revoked| revoked.device(of, removed_at, until));
        self.watches.end_device(of, removed_at);
    }

    /// Judges an access token of our own interface.
    ///
    /// # Errors
    /// [`GateError`].
    pub fn check(&self, token: &str) -> Result<Caller, GateError> {
        self.check_as::<Claims>(token)
    }

    /// Judges a token of the kind `T`; one of another kind is refused.
    ///
    /// # Errors
    /// [`GateError`].
    pub fn check_as<T: TokenClaims>(&self, token: &str) -> Result<Caller, GateError> {
        let now = self.clock.now();
        let hash = cache::hash(T::TYP, token);
        let known = self.cache().get(&hash);
        let claims = match known {
            Some(claims) if claims.exp > now.as_secs() => claims,
            Some(_) => return Err(GateError::Refused),
            None => self.verify::<T>(token, now)?,
        };
        let caller = Caller::from(claims);
        if self.is_revoked(&caller) {
            return Err(GateError::Refused);
        }
        if known.is_none() {
            self.cache().put(hash, claims);
        }
        Ok(caller)
    }

    /// Watches over a caller that stays connected. A revocation that came between [`Gate::check`] and now counts.
    pub fn watch(&self, caller: &Caller) -> Watch {
        let watch = Watches::register(&self.watches, caller);
        if self.is_revoked(caller) {
            watch.end();
        }
        watch
    }

    fn verify<T: TokenClaims>(&self, token: &str, now: UnixMillis) -> Result<Claims, GateError> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        if keys.is_empty() {
            return Err(GateError::NotReady);
        }
        let claims: T = jws::verify(token, now, |kid| keys.get(kid).cloned()).map_err(|error| {
            if error == JwsError::UnknownKey {
                tracing::debug!("an access token names an unknown key");
                self.unknown_key.notify_one();
            }
            GateError::Refused
        })?;
        Ok(claims.base())
    }

    fn revoke(&self, record: impl FnOnce(&mut Revoked)) {
        let mut revoked = self.revoked.write().unwrap_or_else(PoisonError::into_inner);
        record(&mut revoked);
        revoked.forget_expired(self.clock.now());
    }

    fn is_revoked(&self, caller: &Caller) -> bool {
        self.revoked.read().unwrap_or_else(PoisonError::into_inner).covers(caller)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Gate").field("ready", &self.ready()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
