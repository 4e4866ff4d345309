//! argon2id off the async threads, a few at a time: 19 MiB and tens of milliseconds each must not stall the rest.

use std::sync::Arc;

use common::crypto::password;
use tokio::sync::Semaphore;

use super::{AuthError, Password};

/// Hashes and verifies passwords, at most `slots` at once; further callers wait, and beyond `queue` are refused.
#[derive(Debug, Clone)]
pub(crate) struct Hasher {
    slots: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Hasher {
    pub(crate) fn new(slots: usize, queue: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(slots.max(1))),
            waiting: Arc::new(Semaphore::new(queue + slots.max(1))),
        }
    }

    /// Makes the PHC string of a password.
    ///
    /// # Errors
    /// [`AuthError::Busy`] when too many wait.
    pub(crate) async fn hash(&self, password: Password) -> Result<String, AuthError> {
        self.run(move || password::hash(password.expose())).await?.map_err(AuthError::from)
    }

    /// Compares a password with a stored hash. Without one the same work is done for nothing, so that a name nobody
    /// has takes as long as a wrong password.
    ///
    /// # Errors
    /// [`AuthError::Busy`] when too many wait.
    pub(crate) async fn verify(&self, stored: Option<String>, password: Password) -> Result<bool, AuthError> {
        self.run(move || {
            let known = stored.is_some();
            let phc = stored.unwrap_or_else(|| password::dummy_hash().to_owned());
            password::verify(&phc, password.expose()) && known
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AuthError> {
        let waiting = self.waiting.clone().try_acquire_owned().map_err(|_| AuthError::Busy)?;
        let slot = self.slots.clone().acquire_owned().await.map_err(|_| AuthError::Busy)?;
        // The permits go with the closure: a caller who leaves does not make room for one more thread.
        tokio::task::spawn_blocking(move || {
            let result = work();
            drop((slot, waiting));
            result
        })
        .await
        .map_err(|error| AuthError::Internal(Box::new(error)))
    }
}

#[cfg(test)]
mod tests {
    use common::crypto::secret::Secret;

    use super::*;

    fn password(text: &str) -> Password {
        Password::try_from(Secret::from(text)).unwrap()
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_known_account_verifies() {
        let hasher = Hasher::new(1, 8);
        let stored = hasher.hash(password("correct horse")).await.unwrap();

        assert!(hasher.verify(Some(stored.clone()), password("correct horse")).await.unwrap());
        assert!(!hasher.verify(Some(stored), password("wrong horse")).await.unwrap());
        assert!(!hasher.verify(None, password("correct horse")).await.unwrap());
    }

    #[tokio::test]
    async fn a_crowd_is_refused_rather_than_queued_without_bound() {
        let hasher = Hasher::new(1, 1);
        let login = || hasher.verify(None, password("correct horse"));
        // So that no hash is done before all have come.
        let slot = hasher.slots.clone().acquire_owned().await.unwrap();

        let (a, b, c, ()) = tokio::join!(biased; login(), login(), login(), async { drop(slot) });

        let refused = [a, b, c].iter().filter(|r| matches!(r, Err(AuthError::Busy))).count();
        assert_eq!(refused, 1);
    }
}
