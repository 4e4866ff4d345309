//! The chain that shows what was changed later.

use common::models::UnixMillis;
use ring::digest::{Context, SHA256};

/// An entry with its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link<'a> {
    /// Counts from 1 without gaps.
    pub(super) id: i64,
    /// When.
    pub(super) at: UnixMillis,
    /// See [`Act`](super::Act).
    pub(super) actor: &'a str,
    /// See [`Act`](super::Act).
    pub(super) action: &'a str,
    /// See [`Act`](super::Act).
    pub(super) target: &'a str,
}

impl Link<'_> {
    /// Gives the entry's hash, in hexadecimal: SHA-256 over the hash before and all fields, each with its length.
    /// Whoever can write to the table can compute it anew for all entries behind a change; keep the last hash elsewhere
    /// to notice that, too.
    pub(super) fn hash(&self, before: &str) -> String {
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
}
