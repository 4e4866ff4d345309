//! What time removes: presence and connections of processes that are not heard of any more, which receivers are told, and
//! what waits for receivers that are not in the settings any more.

use common::models::UnixMillis;
use db::{Db, DbConn, DbError};

use super::Webhooks;
use crate::domain::{BadName, ChannelName};
use crate::store::{connections, presences, webhooks};

/// Removes presence that is not believed any more, up to `limit` rows; gives how many.
pub(crate) fn presences(
    conn: &mut DbConn,
    webhooks: Option<&Webhooks>,
    now: UnixMillis,
    limit: i64,
) -> Result<usize, DbError> {
    let expired = presences::expired(conn, now, limit)?;
    let remove = |conn: &mut DbConn| presences::remove_expired(conn, &expired, now);
    match webhooks {
        None => remove(conn)?,
        Some(webhooks) => {
            let member = |(channel, member, _): &(String, String, String)| {
                Ok::<_, BadName>((ChannelName::parse(channel, usize::MAX)?, member.clone()))
            };
            let members = expired.iter().map(member).collect::<Result<_, _>>().map_err(DbError::other)?;
            webhooks.with_members(conn, (members, &[]), now, remove)?;
        }
    }
    Ok(expired.len())
}

impl Webhooks {
    /// Removes the rest, in bounded batches.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn prune(&self, db: &Db, oldest: UnixMillis, limit: u32) -> Result<(), DbError> {
        let (now, most, full) = (self.now(), i64::from(limit), limit as usize);
        loop {
            let webhooks = self.clone();
            let pruning = db.write(move |conn| {
                let gone = connections::prune(conn, now, most)?;
                let count = gone.len();
                webhooks.write(conn, Self::gone(gone, now)?, now)?;
                Ok::<_, DbError>(count)
            });
            if pruning.await? < full {
                break;
            }
        }
        loop {
            let known = self.names();
            let pruning = db.write(move |conn| webhooks::delivery::prune(conn, &known, oldest, most));
            if pruning.await? < full {
                break;
            }
        }
        self.wake();
        Ok(())
    }
}
