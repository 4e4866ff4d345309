//! The sessions of a server, found by their id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Link, Protocol};
use crate::sid::Sid;

const SHARDS: usize = 32;

/// Sessions by id, in parts, so that workers seldom wait for each other.
pub(super) struct Table<P: Protocol> {
    shards: [Mutex<HashMap<Sid, Arc<Link<P>>>>; SHARDS],
}

impl<P: Protocol> Default for Table<P> {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl<P: Protocol> Table<P> {
    pub(super) fn insert(&self, link: Arc<Link<P>>) {
        self.with(link.sid(), |links| links.insert(link.sid(), Arc::clone(&link)));
    }

    pub(super) fn get(&self, sid: Sid) -> Option<Arc<Link<P>>> {
        self.with(sid, |links| links.get(&sid).cloned())
    }

    pub(super) fn remove(&self, sid: Sid) {
        // Dropped after the lock: it may be the last one.
        let removed = self.with(sid, |links| links.remove(&sid));
        drop(removed);
    }

    fn with<T>(&self, sid: Sid, work: impl FnOnce(&mut HashMap<Sid, Arc<Link<P>>>) -> T) -> T
    where
        T: Default,
    {
        let shard = self.shards.get(usize::from(sid.first_byte()) % SHARDS);
        shard.map(|shard| work(&mut shard.lock().unwrap_or_else(PoisonError::into_inner))).unwrap_or_default()
    }
}
