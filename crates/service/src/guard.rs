//! Keeps the gate of a process up to date: auth's public keys, and what has been revoked.
//!
//! Both are read when the process starts, the revocations first, and regularly after that. Between two readings the gate
//! learns of revocations from broadcasts, and of a new key by a token that names it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bus::live::{LiveNotice, LiveSubscription};
use clients::ClientError;
use common::crypto::jws::VerifyingKey;
use common::models::events::AccountEvent;
use tokio::sync::{Notify, SetOnce};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use web::{Check, Service, Task};

use crate::app::AccessTokens;
use crate::platform::Platform;
use crate::revocations::{ACCOUNT_EVENT_KIND, revoke};

/// The pauses while auth cannot be reached.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// Tokens that name an unknown key make us ask for new keys at most this often.
const UNKNOWN_KEY_INTERVAL: Duration = Duration::from_secs(5);

/// Adds the guard to a service, if any of its process takes access tokens; once per process.
pub(crate) fn attach(service: &mut Service, platform: &Platform, access_tokens: AccessTokens) {
    if access_tokens == AccessTokens::Unused {
        return;
    }
    let guard = Arc::new(Guard {
        platform: platform.clone(),
        revocations_known: SetOnce::new(),
        behind: Notify::new(),
    });
    // Subscribed before the first reading, so that nothing falls between the two.
    let broadcasts = platform.live.subscribe_all();
    let (keys, revocations, listener) = (Arc::clone(&guard), Arc::clone(&guard), Arc::clone(&guard));
    service.tasks.push(Task::new("access-token-keys", move |cancel| keys.keep_keys(cancel)));
    service.tasks.push(Task::new("revocations", move |cancel| revocations.keep_revocations(cancel)));
    service.tasks.push(Task::new("revocation-broadcasts", move |cancel| listener.listen(broadcasts, cancel)));
    if access_tokens == AccessTokens::Required {
        service.checks.push(guard);
    }
}

struct Guard {
    platform: Platform,
    revocations_known: SetOnce<()>,
    /// Broadcasts were missed.
    behind: Notify,
}

impl Guard {
    async fn keep_keys(self: Arc<Self>, cancel: CancellationToken) -> Result<(), Infallible> {
        let mut backoff = Backoff::default();
        loop {
            let read = tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                read = self.read_keys() => read,
            };
            let next = async {
                match backoff.after(&read, "public keys of access tokens") {
                    Some(pause) => sleep(pause).await,
                    None => {
                        sleep(UNKNOWN_KEY_INTERVAL).await;
                        tokio::select! {
                            () = sleep(self.platform.settings.internal.refresh) => {}
                            () = self.platform.gate.unknown_key() => {}
                        }
                    }
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                () = next => {}
            }
        }
    }

    async fn read_keys(&self) -> Result<(), ClientError> {
        // A token is judged only once it is known which are revoked.
        self.revocations_known.wait().await;
        let set = self.platform.auth.jwks().await?;
        let keys: Vec<VerifyingKey> = set.keys.iter().filter_map(|jwk| jwk.try_into().ok()).collect();
        if keys.is_empty() {
            let reason = "no key of the set is one of ours".to_owned();
            return Err(ClientError::BadAnswer { service: "auth", reason });
        }
        self.platform.gate.set_keys(keys);
        Ok(())
    }

    async fn keep_revocations(self: Arc<Self>, cancel: CancellationToken) -> Result<(), Infallible> {
        let mut backoff = Backoff::default();
        loop {
            let read = tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                read = self.read_revocations() => read,
            };
            let pause =
                backoff.after(&read, "revocations").unwrap_or(self.platform.settings.internal.refresh);
            tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                () = self.behind.notified(), if read.is_ok() => {}
                () = sleep(pause) => {}
            }
        }
    }

    async fn read_revocations(&self) -> Result<(), ClientError> {
        let revocations = self.platform.auth.revocations().await?;
        for revoked in revocations.sessions {
            self.platform.gate.revoke_session(revoked.session_id, revoked.until);
        }
        for revoked in revocations.accounts {
            self.platform.gate.revoke_account(revoked.account_id, revoked.until);
        }
        // The first reading alone sets it.
        let _ = self.revocations_known.set(());
        Ok(())
    }

    async fn listen(
        self: Arc<Self>,
        mut broadcasts: LiveSubscription,
        cancel: CancellationToken,
    ) -> Result<(), Infallible> {
        loop {
            let notice = tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                notice = broadcasts.recv() => notice,
            };
            match notice {
                LiveNotice::Lagged => self.behind.notify_one(),
                LiveNotice::Event(event) if event.kind == ACCOUNT_EVENT_KIND => {
                    // One of a later release may not be known here; the next reading of revocations covers it.
                    if let Ok(event) = AccountEvent::decode(&event.payload) {
                        revoke(&self.platform.gate, &event, self.platform.clock.now());
                    }
                }
                LiveNotice::Event(_) => {}
            }
        }
    }
}

#[async_trait]
impl Check for Guard {
    fn name(&self) -> &str {
        "access-tokens"
    }

    async fn check(&self) -> Result<(), String> {
        match (self.platform.gate.ready(), self.revocations_known.initialized()) {
            (true, true) => Ok(()),
            (_, false) => Err("the revocations have not been read from auth yet".to_owned()),
            (false, true) => Err("the public keys have not been read from auth yet".to_owned()),
        }
    }
}

/// Growing pauses after failures, and a log line only when things change.
#[derive(Default)]
struct Backoff {
    pause: Option<Duration>,
}

impl Backoff {
    /// The pause before the next try; `None` after a success.
    fn after(&mut self, read: &Result<(), ClientError>, what: &str) -> Option<Duration> {
        let last = self.pause.take();
        match read {
            Ok(()) => {
                if last.is_some() {
                    tracing::info!("{what} read from auth");
                }
                None
            }
            Err(error) => {
                if last.is_none() {
                    tracing::warn!(%error, "{what} cannot be read from auth, trying again");
                }
                let pause = last.map_or(FIRST_PAUSE, |last| (last * 2).min(LAST_PAUSE));
                self.pause = Some(pause);
                self.pause
            }
        }
    }
}
