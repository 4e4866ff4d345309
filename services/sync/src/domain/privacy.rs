//! What there is of one account in the tables of this service, for operators who answer its owner.

use service::privacy::Column::Plain;
use service::privacy::{AccountData, Column, Held};

use crate::app::State;

const SYNC_SESSIONS: &[Column] = &[Plain("state"), Plain("turn"), Plain("expires_at")];
const SYNCHRONIZED_DEVICES: &[Column] = &[Plain("session_id"), Plain("created_at")];

impl AccountData for State {
    fn tables(&self) -> Vec<Held> {
        vec![
            Held::goes("sync_sessions", "user_id").shows(SYNC_SESSIONS),
            Held::goes("synchronized_devices", "user_id").shows(SYNCHRONIZED_DEVICES),
        ]
    }
}
