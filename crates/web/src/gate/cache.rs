//! Tokens that were verified, by the SHA-256 of their kind and text, so that a signature is checked once and not on every request.

use std::collections::HashMap;

use common::crypto::jws::Claims;
use ring::digest::{Context, SHA256};

/// Tokens held in each half: 2 x 32768 entries of about 200 bytes at most.
const HALF: usize = 32 * 1024;

pub(super) type Hash = [u8; 32];

/// No kind has a NUL in its name, so no two pairs are one.
pub(super) fn hash(kind: &str, token: &str) -> Hash {
    let mut digest = Context::new(&SHA256);
    for part in [kind, "\0", token] {
        digest.update(part.as_bytes());
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.finish().as_ref());
    hash
}

/// Two halves: a full one becomes the old one, and what was not used since its turn is dropped with it.
#[derive(Default)]
pub(super) struct Cache {
    fresh: HashMap<Hash, Claims>,
    old: HashMap<Hash, Claims>,
}

impl Cache {
    pub(super) fn get(&mut self, hash: &Hash) -> Option<Claims> {
        if let Some(claims) = self.fresh.get(hash) {
            return Some(*claims);
        }
        let claims = self.old.remove(hash)?;
        self.put(*hash, claims);
        Some(claims)
    }

    pub(super) fn put(&mut self, hash: Hash, claims: Claims) {
        if self.fresh.len() >= HALF {
            self.old = std::mem::take(&mut self.fresh);
        }
        self.fresh.insert(hash, claims);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.fresh.len() + self.old.len()
    }
}
