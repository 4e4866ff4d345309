//! What is told live about a session: that it has changed. Only a hint: whoever hears it reads the table, and looks there
//! now and then anyway.

use bus::live::{Live, LiveEvent, LiveSubscription};
use ring::digest::{SHA256, digest};

use super::ids::{SyncId, UserId};

const CHANGED: &str = "changed";

/// The key of a session's events. Whoever knows the session's id may use it, so the key is a hash.
fn key(user: &UserId, id: &SyncId) -> Vec<u8> {
    // The id has one length, so the two cannot be shifted into each other.
    let session = ["sync", id.as_str(), user.as_str()].concat();
    digest(&SHA256, session.as_bytes()).as_ref().to_vec()
}

/// Tells that a session has changed.
pub(crate) fn changed(live: &Live, user: &UserId, id: &SyncId) {
    live.publish(LiveEvent::new(key(user, id), CHANGED, Vec::new()));
}

/// Hears of a session's changes from now on.
pub(crate) fn listen(live: &Live, user: &UserId, id: &SyncId) -> LiveSubscription {
    live.subscribe(&key(user, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_heard_of_its_session_alone() {
        let live = Live::in_process();
        let user: UserId = "alice".parse().unwrap();
        let (id, another) = (SyncId::new(), SyncId::new());
        let mut heard = listen(&live, &user, &id);
        let mut other = listen(&live, &user, &another);

        changed(&live, &user, &id);

        assert!(heard.try_recv().is_some());
        assert!(other.try_recv().is_none());
    }
}
