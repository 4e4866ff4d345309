//! Passwords: argon2id with the parameters that OWASP gives as the least (19 MiB, 2 passes, 1 lane), as PHC strings.
//!
//! One call takes tens of milliseconds and 19 MiB: callers run it on a blocking thread, and bound how many at a time.

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use super::token::{NoRandomness, random};

/// KiB of memory, passes, lanes.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);

/// A password could not be hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// No salt to be had.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The hash function refused, as for a password of gigabytes.
    #[error("password cannot be hashed")]
    Unhashable,
}

fn argon2() -> Result<Argon2<'static>, PasswordError> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).map_err(|_| PasswordError::Unhashable)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a password with a fresh salt; gives the PHC string to store.
///
/// # Errors
/// [`PasswordError`], neither of which is the user's fault.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    let salt = SaltString::encode_b64(&random::<16>()?).map_err(|_| PasswordError::Unhashable)?;
    let hash = argon2()?.hash_password(password.as_bytes(), &salt).map_err(|_| PasswordError::Unhashable)?;
    Ok(hash.to_string())
}

/// Tells whether `password` is the one that `phc` was made from, by the parameters in `phc`; junk matches nothing.
pub fn verify(phc: &str, password: &str) -> bool {
    let (Ok(parsed), Ok(argon2)) = (PasswordHash::new(phc), argon2()) else { return false };
    argon2.verify_password(password.as_bytes(), &parsed).is_ok()
}

/// Gives a hash that no password has, to be verified against when there is no such user: the answer takes as long.
pub fn dummy_hash() -> &'static str {
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_itself_verifies() {
        let phc = hash("correct horse").unwrap();

        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(verify(&phc, "correct horse"));
        assert!(!verify(&phc, "correct horsf") && !verify(&phc, ""));
        assert_ne!(hash("correct horse").unwrap(), phc, "each hash has its own salt");
    }

    #[test]
    fn dummy_costs_what_a_hash_costs_and_matches_nothing() {
        let dummy = PasswordHash::new(dummy_hash()).unwrap();
        let phc = hash("x").unwrap();
        let real = PasswordHash::new(&phc).unwrap();

        assert_eq!(
            (dummy.algorithm, dummy.version, &dummy.params),
            (real.algorithm, real.version, &real.params)
        );
        assert_eq!(dummy.hash.unwrap().len(), real.hash.unwrap().len());
        assert!(!verify(dummy_hash(), "") && !verify(dummy_hash(), "x"));
    }

    #[test]
    fn junk_matches_nothing() {
        for phc in ["", "x", "$argon2id$v=19$m=19456,t=2,p=1$AAAA", "$2y$10$abcdefghijklmnopqrstuv"] {
            assert!(!verify(phc, ""), "{phc}");
        }
    }
}
