//! The vault as the decrypting threads see it: read once, and again when its file has changed.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use common::crypto::Secret;
use common::crypto::vault::{Vault, VaultError};

/// How often the file is looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why there are no keys.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum VaultUnavailable {
    /// The file cannot be read.
    #[error("the vault cannot be read: {0}")]
    File(std::io::ErrorKind),
    /// It is not a vault, or has another password.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// The keys of one version of the file.
pub(crate) struct Keys {
    /// Grows with each version, so that threads know when their copies are old.
    pub(crate) version: u64,
    /// `None`: no vault is configured.
    pub(crate) vault: Option<Vault>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
}

struct State {
    keys: Option<Arc<Keys>>,
    stamp: Option<Stamp>,
    looked: Option<Instant>,
    failure: Option<VaultUnavailable>,
}

/// The vault's file and what was last read of it.
pub(crate) struct CachedVault {
    path: Option<PathBuf>,
    password: Secret<String>,
    state: Mutex<State>,
}

impl CachedVault {
    /// Names the file; reads nothing yet.
    pub(crate) fn new(path: Option<PathBuf>, password: Secret<String>) -> Self {
        let state = State { keys: None, stamp: None, looked: None, failure: None };
        Self { path, password, state: Mutex::new(state) }
    }

    /// Gives the keys, of the file as it was a second ago or later. Blocks while it is read. A file that can no longer
    /// be read leaves the keys of its last good version in use, and fails the check.
    ///
    /// # Errors
    /// [`VaultUnavailable`] while it has never been read.
    pub(crate) fn keys(&self) -> Result<Arc<Keys>, VaultUnavailable> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh(&mut state);
        match (&state.keys, &state.failure) {
            (Some(keys), _) => Ok(keys.clone()),
            (None, Some(failure)) => Err(failure.clone()),
            (None, None) => Err(VaultUnavailable::File(std::io::ErrorKind::NotFound)),
        }
    }

    /// Tells whether the file as it is now can be used.
    ///
    /// # Errors
    /// [`VaultUnavailable`].
    pub(crate) fn check(&self) -> Result<(), VaultUnavailable> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh(&mut state);
        state.failure.clone().map_or(Ok(()), Err)
    }

    /// Reads the file as it is now, however lately it was looked at.
    ///
    /// # Errors
    /// [`VaultUnavailable`]; the keys of the last good version are used on.
    pub(crate) fn reload(&self) -> Result<(), VaultUnavailable> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).looked = None;
        self.check()
    }

    fn refresh(&self, state: &mut State) {
        let fresh = state.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY);
        if fresh && state.keys.is_some() && state.failure.is_none() {
            return;
        }
        state.looked = Some(Instant::now());
        let version = state.keys.as_ref().map_or(0, |keys| keys.version) + 1;
        match self.read(state.stamp) {
            Ok(None) => state.failure = None,
            Ok(Some((stamp, vault))) => {
                if let Some(vault) = &vault {
                    tracing::info!(vault.keys = vault.aliases().len(), "vault read");
                    for exposed in vault.exposed() {
                        tracing::error!(
                            vault.alias = exposed.alias,
                            why = %exposed.why,
                            "a key is not used: what is encrypted to it others can read; make a new one",
                        );
                    }
                }
                state.keys = Some(Arc::new(Keys { version, vault }));
                state.stamp = Some(stamp);
                state.failure = None;
            }
            Err(failure) => {
                if state.failure.is_none() {
                    tracing::error!(error = %failure, "the vault cannot be used");
                }
                state.failure = Some(failure);
            }
        }
    }

    /// Reads the file if it is not the version of `known`.
    fn read(&self, known: Option<Stamp>) -> Result<Option<(Stamp, Option<Vault>)>, VaultUnavailable> {
        let Some(path) = &self.path else {
            let none = Stamp { modified: None, bytes: 0 };
            return Ok((known != Some(none)).then_some((none, None)));
        };
        let metadata = std::fs::metadata(path).map_err(|error| VaultUnavailable::File(error.kind()))?;
        let stamp = Stamp { modified: metadata.modified().ok(), bytes: metadata.len() };
        if known == Some(stamp) {
            return Ok(None);
        }
        let file = std::fs::read(path).map_err(|error| VaultUnavailable::File(error.kind()))?;
        Ok(Some((stamp, Some(Vault::open(&file, self.password.expose())?))))
    }
}
