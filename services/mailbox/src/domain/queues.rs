//! How much waits for an account, for operators: numbers and a time, nothing of what it is.

use common::models::AccountId;
use common::models::operators::Queues;
use service::operators::{Act, AuditTable};

use super::MailboxError;
use crate::app::State;
use crate::store::queues;

/// Tells how much waits for each device of an account, by whichever interface it is read.
///
/// # Errors
/// Those of the database.
pub(crate) async fn of_account(state: &State, account: AccountId, act: Act) -> Result<Queues, MailboxError> {
    let now = state.clock.now();
    let reading = state.db.write(move |conn| {
        AuditTable::ADMIN.add(conn, &act, now)?;
        let mut found = queues::native(conn, account)?;
        found.extend(queues::signal_server(conn, account)?);
        found.extend(queues::woosh(conn, account)?);
        Ok::<_, MailboxError>(Queues { queues: found })
    });
    reading.await
}
