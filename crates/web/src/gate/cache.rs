//! Tokens that were verified, by their SHA-256, so that a signature is checked once and not on every request.

use std::collections::HashMap;

use common::crypto::jws::Claims;
use ring::digest::{SHA256, digest};

/// Tokens held in each half: 2 x 32768 entries of about 200 bytes at most.
const HALF: usize = 32 * 1024;

pub(super) type Hash = [u8; 32];

pub(super) fn hash(token: &str) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
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
