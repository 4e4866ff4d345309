//! Keys that others are known to have: what is sealed with one can be read, and by the loop-back client's key anybody
//! could make requests look like another client's.

use super::{Entry, Vault, base_name, same};

/// The client whose requests loop back and reach no SMSC. Its key is the built-in one of the known gateway in many
/// vaults, and may be anybody's.
pub const LOOP_BACK_CLIENT: &str = "test";

/// SHA-256 of the SubjectPublicKeyInfo of keys whose private halves are published, or may be.
const PUBLISHED: [&str; 6] = [
    // The known client's own tests: its class of testing keys, and its test vault with the key file beside it.
    "0d9151fdcda39cba2e601681627bab705ab19ae09c85b2f8c2c609a6cfb54738",
    "9604487c88971adcaba0b493a7b7db0938801a3ca2cdbeded2a2b7d8cbb051a9",
    // Ours: test vectors of version 1 (test, acme, big), and of version 2 in `proto/sms/envelope-v2.json`.
    "6bbf6530733def19984d85a9d2de4ec5fb6e5e9b236b9a5034903e3c849bb933",
    "28bde46b37958b825847e725e468ad50cdbe4478fbf351ca0d3acef387e80bb4",
    "72c36ae1fa35e25812feeed70a4d4222e8275d0228c5bce8572969fbf91f6a7a",
    "c5c6d888598311a756da15d09ec1e22658aa195ecdf26878828e75e88ddfc286",
];

/// Why a key protects nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exposure {
    /// It is in a source tree or a document.
    #[error("the private key is published")]
    Published,
    /// The loop-back client and another have the same key.
    #[error("the client test has the same key")]
    LoopBack,
}

/// A key of a vault that is not to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposed<'a> {
    /// Its alias.
    pub alias: &'a str,
    /// Why.
    pub why: Exposure,
}

impl Vault {
    /// Names the keys that are not to be used, and that [`Vault::opener`] leaves out: those of any client but `test`
    /// that are published, or that `test` has too. Sorted by alias.
    pub fn exposed(&self) -> Vec<Exposed<'_>> {
        let exposures = self.exposures();
        let exposed = |entry: &'_ Entry| exposures.of(entry);
        let mut found: Vec<_> = self
            .entries
            .iter()
            .filter_map(|entry| Some(Exposed { alias: &entry.alias, why: exposed(entry)? }))
            .collect();
        found.sort_unstable_by_key(|exposed| exposed.alias);
        found
    }

    pub(super) fn exposures(&self) -> Exposures {
        let loop_back = self.entries.iter().filter(|entry| is_loop_back(&entry.alias));
        Exposures { loop_back: loop_back.filter_map(Entry::fingerprint).collect() }
    }
}

impl Entry {
    pub(super) fn fingerprint(&self) -> Option<[u8; 32]> {
        self.key()?.sealing_key().ok()?.fingerprint().ok()
    }
}

/// What keys of a vault are compared with.
pub(super) struct Exposures {
    loop_back: Vec<[u8; 32]>,
}

impl Exposures {
    /// Judges a key of the vault.
    pub(super) fn of(&self, entry: &Entry) -> Option<Exposure> {
        if is_loop_back(&entry.alias) {
            return None;
        }
        self.of_fingerprint(&entry.fingerprint()?)
    }

    /// Judges a key of any client but `test`.
    pub(super) fn of_fingerprint(&self, fingerprint: &[u8; 32]) -> Option<Exposure> {
        if PUBLISHED.contains(&hex::encode(fingerprint).as_str()) {
            return Some(Exposure::Published);
        }
        self.loop_back.contains(fingerprint).then_some(Exposure::LoopBack)
    }
}

pub(super) fn is_loop_back(alias: &str) -> bool {
    same(base_name(alias), LOOP_BACK_CLIENT)
}
