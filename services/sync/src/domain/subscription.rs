//! A connection that shows a session: its claim, what it sees, what time does meanwhile.

use super::error::SyncError;
use super::ids::{SyncId, UserId};
use super::processes::Seat;
use super::session::{Moved, Sight};
use crate::app::State;
use crate::store::sessions;

/// Claims a session for a connection, if no other one has it, and tells what is seen.
///
/// # Errors
/// Those of the database.
pub(crate) async fn claim(
    state: &State,
    user: &UserId,
    id: &SyncId,
    seat: &Seat,
) -> Result<Sight, SyncError> {
    let (now, pace) = (state.clock.now(), state.settings.pace());
    let (user, id) = (user.clone(), id.clone());
    let (mine, process) = (seat.holder(), seat.process().clone());
    let claimed = state.db.write(move |conn| {
        let Some(mut stored) = sessions::lock(conn, &user, &id)? else { return Ok(Sight::Over) };
        if let Some(holder) = stored.holder.filter(|holder| *holder != mine)
            && process.lives(conn, &holder)?
        {
            return Ok(Sight::Taken);
        }
        stored.holder = Some(mine);
        stored.session.subscribe(now, pace);
        sessions::update(conn, &stored)?;
        Ok::<_, SyncError>(stored.session.sight(now))
    });
    claimed.await
}

/// Looks at the session of a connection.
///
/// # Errors
/// Those of the database.
pub(crate) async fn look(state: &State, user: &UserId, id: &SyncId, seat: &Seat) -> Result<Sight, SyncError> {
    let now = state.clock.now();
    let (user, id, mine) = (user.clone(), id.clone(), seat.holder());
    let found = state.db.read(move |conn| sessions::find(conn, &user, &id)).await?;
    Ok(match found {
        None => Sight::Over,
        Some(stored) if stored.holder.as_ref() != Some(&mine) => Sight::Taken,
        Some(stored) => stored.session.sight(now),
    })
}

/// Does what is due, and tells what is seen then. A new URL counts before it is shown.
///
/// # Errors
/// Those of the database.
pub(crate) async fn advance(
    state: &State,
    user: &UserId,
    id: &SyncId,
    seat: &Seat,
) -> Result<Sight, SyncError> {
    let (now, pace) = (state.clock.now(), state.settings.pace());
    let (user, id, mine) = (user.clone(), id.clone(), seat.holder());
    let advanced = state.db.write(move |conn| {
        let Some(mut stored) = sessions::lock(conn, &user, &id)? else { return Ok(Sight::Over) };
        if stored.holder.as_ref() != Some(&mine) {
            return Ok(Sight::Taken);
        }
        match stored.session.advance(now, pace, SyncId::new()) {
            Moved::Stays => {}
            Moved::Turned => sessions::update(conn, &stored)?,
            Moved::Over => {
                sessions::delete(conn, &user, &id)?;
                return Ok(Sight::Over);
            }
        }
        Ok::<_, SyncError>(stored.session.sight(now))
    });
    advanced.await
}

/// Gives the claim of a connection back.
///
/// # Errors
/// Those of the database.
pub(crate) async fn leave(state: &State, user: &UserId, id: &SyncId, seat: &Seat) -> Result<(), SyncError> {
    let (user, id, mine) = (user.clone(), id.clone(), seat.holder());
    Ok(state.db.write(move |conn| sessions::leave(conn, &user, &id, &mine.connection)).await?)
}
