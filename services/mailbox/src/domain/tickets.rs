//! Tickets: what a browser, which cannot send headers with a websocket's handshake, shows instead of its access token.
//!
//! A ticket opens one websocket, soon, in whatever process: it is in the database, by its hash. It may end up in the
//! logs of proxies, and is worth nothing there.

use std::fmt;
use std::str::FromStr;

use common::crypto::token::{InvalidToken, PlainToken};
use common::models::UnixMillis;
use db::DbError;
use web::{Caller, DeviceCaller};

use super::error::MailboxError;
use super::ids::MailboxId;
use crate::app::State;
use crate::store::tickets::{self, TicketRow};

/// A ticket as its holder has it: account, device and token, with dots between. `Debug` is redacted.
#[derive(Clone)]
pub(crate) struct Ticket {
    mailbox: MailboxId,
    token: PlainToken,
}

impl Ticket {
    /// Shows the ticket, to be handed to its holder.
    pub(crate) fn expose(&self) -> String {
        let MailboxId { account, device } = self.mailbox;
        format!("{account}.{}.{}", device.as_i32(), self.token.expose())
    }
}

impl FromStr for Ticket {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let (account, rest) = text.split_once('.').ok_or(InvalidToken)?;
        let (device, token) = rest.split_once('.').ok_or(InvalidToken)?;
        let account = account.parse().map_err(|_| InvalidToken)?;
        let device = device.parse().map_err(|_| InvalidToken)?;
        Ok(Self { mailbox: MailboxId { account, device }, token: token.parse()? })
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ticket([redacted])")
    }
}

/// Makes a ticket for the caller's device; an earlier one of it is void.
///
/// # Errors
/// Those of the database.
pub(crate) async fn issue(state: &State, caller: DeviceCaller) -> Result<Ticket, MailboxError> {
    let DeviceCaller { device, caller } = caller;
    let mailbox = MailboxId { account: caller.account, device };
    let ticket = Ticket { mailbox, token: PlainToken::generate().map_err(DbError::other)? };
    let row = TicketRow {
        account_id: mailbox.account,
        device_id: mailbox.device,
        ticket_hash: ticket.token.hashed(),
        session_id: caller.session,
        token_issued_at: caller.issued_at,
        token_expires_at: caller.expires_at,
        expires_at: state.clock.now() + state.settings.ticket_ttl,
    };
    state.db.write(move |conn| tickets::put(conn, &row)).await?;
    Ok(ticket)
}

/// Takes a ticket in, and tells whose it is.
///
/// # Errors
/// [`MailboxError::TicketRefused`] when it is none, was used, has expired, or belongs to a session that has ended;
/// those of the database.
pub(crate) async fn redeem(state: &State, ticket: &str) -> Result<DeviceCaller, MailboxError> {
    let Ticket { mailbox, token } = ticket.parse().map_err(|_| MailboxError::TicketRefused)?;
    let (hash, now): (_, UnixMillis) = (token.hashed(), state.clock.now());
    let taken = state.db.write(move |conn| tickets::take(conn, mailbox, hash, now)).await?;
    let row = taken.ok_or(MailboxError::TicketRefused)?;
    let caller = Caller {
        account: row.account_id,
        session: row.session_id,
        device: Some(row.device_id),
        issued_at: row.token_issued_at,
        expires_at: row.token_expires_at,
    };
    if state.gate.watch(&caller).is_revoked() {
        return Err(MailboxError::TicketRefused);
    }
    Ok(DeviceCaller { device: row.device_id, caller })
}

#[cfg(test)]
mod tests {
    use common::models::{AccountId, DeviceId};

    use super::*;

    #[test]
    fn a_ticket_reads_as_it_was_shown_and_stays_out_of_debug() {
        let mailbox = MailboxId { account: AccountId::new(), device: DeviceId::new(127).unwrap() };
        let ticket = Ticket { mailbox, token: PlainToken::generate().unwrap() };

        let again: Ticket = ticket.expose().parse().unwrap();

        assert_eq!((again.mailbox, again.token.hashed()), (mailbox, ticket.token.hashed()));
        assert!(!format!("{again:?}").contains(ticket.token.expose()));
    }

    #[test]
    fn other_text_is_no_ticket() {
        let (account, token) = (AccountId::new(), PlainToken::generate().unwrap());
        let token = token.expose();
        for text in [
            "",
            ".",
            "..",
            token,
            &format!("{account}.{token}"),
            &format!("{account}.128.{token}"),
            &format!("{account}.1.x"),
        ] {
            assert!(text.parse::<Ticket>().is_err(), "{text}");
        }
    }
}
