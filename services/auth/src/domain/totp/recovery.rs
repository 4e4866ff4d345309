//! Recovery codes: what lets somebody in who has lost the authenticator. Each works once.

use common::crypto::secret::Secret;
use common::crypto::token::{HashedToken, NoRandomness, random};

use super::code::base32;

/// Codes of one set.
const COUNT: usize = 10;
/// Octets of one code: 80 bits, so that their plain hash can be stored.
const OCTETS: usize = 10;
/// Letters between two hyphens.
const GROUP: usize = 4;

/// A recovery code, without its hyphens and in upper case.
pub(super) struct RecoveryCode(Secret<String>);

impl RecoveryCode {
    pub(super) fn generate_set() -> Result<Vec<Self>, NoRandomness> {
        (0..COUNT).map(|_| Ok(Self(Secret::new(base32(&random::<OCTETS>()?))))).collect()
    }

    /// Takes what a person typed; hyphens, blanks and case do not matter.
    pub(super) fn from_typed(text: &str) -> Self {
        Self(Secret::new(
            text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase(),
        ))
    }

    /// The code as it is shown, `ABCD-EFGH-IJKL-MNOP`.
    pub(super) fn to_text(&self) -> Secret<String> {
        let mut text = String::new();
        for (place, letter) in self.0.expose().chars().enumerate() {
            if place > 0 && place % GROUP == 0 {
                text.push('-');
            }
            text.push(letter);
        }
        Secret::new(text)
    }

    pub(super) fn hashed(&self) -> HashedToken {
        HashedToken::of(self.0.expose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_recognised_however_it_is_typed() {
        let set = RecoveryCode::generate_set().unwrap();
        let shown = set[0].to_text();

        assert_eq!((set.len(), shown.expose().len()), (COUNT, 19));
        assert_eq!(RecoveryCode::from_typed(shown.expose()).hashed(), set[0].hashed());
        let typed = shown.expose().to_lowercase().replace('-', " ");
        assert_eq!(RecoveryCode::from_typed(&typed).hashed(), set[0].hashed());
        assert_ne!(RecoveryCode::from_typed(set[1].to_text().expose()).hashed(), set[0].hashed());
    }
}
