//! The log of what operators do: its entries, and the chain that shows what was changed later.

use common::models::UnixMillis;
use ring::digest::{Context, SHA256};

/// Fewest digits of what may be a phone number.
const FEWEST_DIGITS: usize = 7;
/// Digits of such a number that are shown at its end.
const SHOWN: usize = 2;

/// Something that an operator did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Act {
    /// Who, as far as the request tells.
    pub(crate) actor: String,
    /// What: `bind.pause`, `attempts.find`.
    pub(crate) action: &'static str,
    /// To what; without content, and without a number in full.
    pub(crate) target: String,
}

/// An entry with its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link<'a> {
    /// Counts from 1 without gaps.
    pub(crate) id: i64,
    /// When.
    pub(crate) at: UnixMillis,
    /// See [`Act`].
    pub(crate) actor: &'a str,
    /// See [`Act`].
    pub(crate) action: &'a str,
    /// See [`Act`].
    pub(crate) target: &'a str,
}

impl Link<'_> {
    /// Gives the entry's hash, in hexadecimal: SHA-256 over the hash before and all fields, each with its length.
    /// Whoever can write to the table can compute it anew for all entries behind a change; keep the last hash elsewhere
    /// to notice that, too.
    pub(crate) fn hash(&self, before: &str) -> String {
        let mut context = Context::new(&SHA256);
        let mut add = |octets: &[u8]| {
            context.update(&(octets.len() as u64).to_be_bytes());
            context.update(octets);
        };
        add(before.as_bytes());
        add(&self.id.to_be_bytes());
        add(&self.at.as_i64().to_be_bytes());
        for text in [self.actor, self.action, self.target] {
            add(text.as_bytes());
        }
        hex::encode(context.finish())
    }
}

/// Gives a tenant's id of a request as it may be shown: some tenants take the recipient's number for it.
pub(crate) fn shown(correl_id: &str) -> String {
    let digits = correl_id.strip_prefix('+').unwrap_or(correl_id);
    let is_number = digits.len() >= FEWEST_DIGITS && digits.bytes().all(|octet| octet.is_ascii_digit());
    match digits.split_at_checked(digits.len().saturating_sub(SHOWN)) {
        Some((hidden, end)) if is_number => format!("{}{end}", "*".repeat(hidden.len())),
        _ => correl_id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(id: i64, actor: &'static str, action: &'static str) -> Link<'static> {
        Link { id, at: UnixMillis(7), actor, action, target: "smsc=main" }
    }

    #[test]
    fn every_field_and_everything_before_is_in_the_hash() {
        let first = link(1, "a", "bind.pause").hash("");

        assert_eq!(first, link(1, "a", "bind.pause").hash(""));
        for other in [link(2, "a", "bind.pause"), link(1, "b", "bind.pause"), link(1, "ab", "ind.pause")] {
            assert_ne!(first, other.hash(""));
        }
        assert_ne!(first, link(1, "a", "bind.pause").hash(&first));
    }

    #[test]
    fn what_may_be_a_phone_number_is_masked_and_other_ids_are_not() {
        for (id, expected) in [
            ("+255123456789", "**********89"),
            ("0712345678", "********78"),
            ("C-2024-000123", "C-2024-000123"),
            ("123456", "123456"),
            ("", ""),
            ("+", "+"),
        ] {
            let masked = shown(id);

            assert_eq!(masked, expected);
        }
    }
}
