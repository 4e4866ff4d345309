//! Opaque bearer tokens: 32 random octets for the holder, their SHA-256 for the table.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

const OCTETS: usize = 32;

/// The system gave no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no randomness from the system")]
pub struct NoRandomness;

/// Text that cannot be a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a token")]
pub struct InvalidToken;

/// Fills an array from the system's generator.
///
/// # Errors
/// [`NoRandomness`] when the system has none.
pub fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut octets = [0; N];
    SystemRandom::new().fill(&mut octets).map_err(|_| NoRandomness)?;
    Ok(octets)
}

/// A token as its holder has it: 43 characters of base64url. Never stored; `Debug` is redacted.
#[derive(Clone)]
pub struct PlainToken(Zeroizing<String>);

impl PlainToken {
    /// Makes a fresh token.
    ///
    /// # Errors
    /// [`NoRandomness`] when the system has none.
    pub fn generate() -> Result<Self, NoRandomness> {
        let octets = Zeroizing::new(random::<OCTETS>()?);
        Ok(Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(octets))))
    }

    /// Shows the token, to be handed to its holder.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Gives the form that is stored.
    pub fn hashed(&self) -> HashedToken {
        HashedToken::of(&self.0)
    }
}

impl std::str::FromStr for PlainToken {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let octets = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidToken)?);
        if octets.len() == OCTETS { Ok(Self(Zeroizing::new(text.to_owned()))) } else { Err(InvalidToken) }
    }
}

impl fmt::Debug for PlainToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainToken([redacted])")
    }
}

/// A token as a table has it: SHA-256 of its text. Compared in constant time.
#[derive(Clone, Copy)]
#[cfg_attr(
    feature = "diesel",
    derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow),
    diesel(sql_type = diesel::sql_types::Binary)
)]
pub struct HashedToken([u8; OCTETS]);

impl HashedToken {
    /// Hashes the text of a token, or of a code with as good as its randomness (80 bits or more).
    pub fn of(text: &str) -> Self {
        let mut octets = [0; OCTETS];
        octets.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        Self(octets)
    }

    /// Borrows the 32 octets.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for HashedToken {
    type Error = InvalidToken;

    fn try_from(octets: &[u8]) -> Result<Self, InvalidToken> {
        octets.try_into().map(Self).map_err(|_| InvalidToken)
    }
}

impl PartialEq for HashedToken {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for HashedToken {}

impl fmt::Debug for HashedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashedToken([redacted])")
    }
}

#[cfg(feature = "diesel")]
impl<DB> diesel::serialize::ToSql<diesel::sql_types::Binary, DB> for HashedToken
where
    DB: diesel::backend::Backend,
    [u8]: diesel::serialize::ToSql<diesel::sql_types::Binary, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, DB>) -> diesel::serialize::Result {
        self.0.as_slice().to_sql(out)
    }
}

#[cfg(feature = "diesel")]
impl<DB> diesel::deserialize::FromSql<diesel::sql_types::Binary, DB> for HashedToken
where
    DB: diesel::backend::Backend,
    Vec<u8>: diesel::deserialize::FromSql<diesel::sql_types::Binary, DB>,
{
    fn from_sql(raw: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
        Ok(Self::try_from(Vec::from_sql(raw)?.as_slice())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_hash() {
        let token = PlainToken::generate().unwrap();

        let again: PlainToken = token.expose().parse().unwrap();

        assert_eq!(token.expose().len(), 43);
        assert_eq!(again.hashed(), token.hashed());
        assert_eq!(HashedToken::try_from(token.hashed().as_slice()), Ok(token.hashed()));
        assert_ne!(PlainToken::generate().unwrap().hashed(), token.hashed());
        assert!(!format!("{token:?}{:?}", token.hashed()).contains(token.expose()));
    }

    #[test]
    fn other_text_is_no_token() {
        let token = PlainToken::generate().unwrap();

        for text in ["", "abc", &format!("{}=", token.expose()), &format!("{}A", token.expose())] {
            assert!(text.parse::<PlainToken>().is_err(), "{text}");
        }
    }
}
