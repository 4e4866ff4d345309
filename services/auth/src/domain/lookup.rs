//! What operators see of accounts: enough to help, without passwords, keys or messages, and no address or number in full.

use common::models::internal::SeenDevice;
use common::models::operators::{AccountFacts, BlockReason, FoundAccounts, MaskedContact, SearchAccounts};
use common::models::{AccountId, E164, UnixMillis};
use db::DbConn;
use service::operators::{Act, AuditTable, masked};

use super::AuthError;
use crate::app::State;
use crate::store::search::{Place, Wanted};
use crate::store::{accounts, blocks, search, sessions, totp};

/// Accounts of one page if nothing is said.
const USUAL: u16 = 50;
/// Characters of an account id from which on it is looked for by how it begins.
const ID_START: usize = 8;

/// Finds accounts by what an operator knows of them; a page of all for an empty beginning.
///
/// # Errors
/// Those of the database.
pub(crate) async fn search(
    state: &State,
    wanted: SearchAccounts,
    act: Act,
) -> Result<FoundAccounts, AuthError> {
    let now = state.clock.now();
    let searching = state.db.write(move |conn| {
        AuditTable::ADMIN.add(conn, &act, now)?;
        match wanted.prefix {
            true => page(conn, &wanted),
            false => exactly(conn, &wanted),
        }
    });
    searching.await
}

/// The accounts that an id, a name, an address or a number is exactly. A name may look like any of the others.
fn exactly(conn: &mut DbConn, wanted: &SearchAccounts) -> Result<FoundAccounts, AuthError> {
    let query = wanted.query.as_str();
    let mut ids: Vec<AccountId> = query.parse().ok().into_iter().collect();
    ids.extend(accounts::by_name(conn, query)?.map(|row| row.account_id));
    ids.extend(accounts::by_email(conn, &query.to_ascii_lowercase())?.map(|row| row.account_id));
    if let Ok(phone) = query.parse::<E164>() {
        ids.extend(accounts::by_phone(conn, phone.as_str())?);
    }
    ids.sort_unstable();
    ids.dedup();
    let mut found = Vec::new();
    for id in ids {
        let one = search::by_id(conn, id.as_str(), wanted.blocked, 1)?;
        found.extend(one.into_iter().map(|found| found.summary));
    }
    Ok(FoundAccounts { accounts: found, next: None })
}

/// A page of the accounts whose name begins so. On the first one, those whose id does come before them.
fn page(conn: &mut DbConn, wanted: &SearchAccounts) -> Result<FoundAccounts, AuthError> {
    let start = wanted.query.to_ascii_lowercase();
    let after = wanted.after.as_deref().map(place).transpose()?;
    let limit = usize::from(wanted.limit.unwrap_or(USUAL));
    // One more than is shown tells whether there is another page.
    let rows = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let by_id = match after {
        None if start.len() >= ID_START => search::by_id(conn, &start, wanted.blocked, rows)?,
        _ => Vec::new(),
    };
    let named = Wanted { name: &start, after: after.as_ref(), blocked: wanted.blocked, limit: rows };
    let mut by_name = search::by_name(conn, &named)?;
    let more = by_name.len() > limit;
    by_name.truncate(limit);
    let next = by_name.last().filter(|_| more).map(|last| cursor(&last.place));
    let accounts = by_id.into_iter().chain(by_name).map(|found| found.summary).collect();
    Ok(FoundAccounts { accounts, next })
}

fn cursor(last: &Place) -> String {
    format!("{}:{}", last.account, last.name)
}

fn place(cursor: &str) -> Result<Place, AuthError> {
    let parts = cursor.split_once(':').and_then(|(account, name)| Some((account.parse().ok()?, name)));
    let (account, name) = parts.ok_or(AuthError::BadCursor)?;
    Ok(Place { name: name.to_owned(), account })
}

/// Tells an operator of an account.
///
/// # Errors
/// [`AuthError::NoAccount`].
pub(crate) async fn facts(state: &State, account: AccountId, act: Act) -> Result<AccountFacts, AuthError> {
    let now = state.clock.now();
    let reading = state.db.write(move |conn| {
        AuditTable::ADMIN.add(conn, &act, now)?;
        let row = accounts::by_id(conn, account)?.ok_or(AuthError::NoAccount)?;
        let found = search::by_id(conn, account.as_str(), false, 1)?.pop().ok_or(AuthError::NoAccount)?;
        let phone = row.phone.and_then(|phone| phone.parse::<E164>().ok());
        let contact = |masked: Option<String>, verified: Option<UnixMillis>| {
            masked.map(|masked| MaskedContact { masked, verified: verified.is_some() })
        };
        let seen = sessions::seen(conn, account, now)?.into_iter();
        Ok::<_, AuthError>(AccountFacts {
            summary: found.summary,
            email: contact(row.email.as_deref().map(masked), row.email_verified_at),
            phone: contact(phone.map(|phone| phone.masked()), row.phone_verified_at),
            second_factor: totp::find(conn, account)?.is_some_and(|totp| totp.confirmed_at.is_some()),
            sessions: sessions::live(conn, account, now)?.len(),
            seen: seen.map(|(device_id, seen_at)| SeenDevice { device_id, seen_at }).collect(),
            block_reason: match blocks::find(conn, account)? {
                Some(block) => Some(BlockReason::try_from(block.reason).map_err(db::DbError::other)?),
                None => None,
            },
        })
    });
    reading.await
}
