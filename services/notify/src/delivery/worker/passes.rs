//! What time and others change about the passes of clients: tokens expire and are revoked, sessions of accounts end.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use common::models::UnixMillis;
use common::models::notify::EndReason;

use super::Worker;
use crate::domain::Pass;
use crate::store::tokens::{self, TokenKey, TokenRow};

/// Tokens of one statement.
const STRIDE: usize = 1000;

impl Worker {
    /// Looks after what time alone changes.
    pub(super) fn tick(self: &Rc<Self>) {
        let now = self.hub.now();
        self.end_where(
            EndReason::Revoked,
            None,
            |pass| matches!(pass, Pass::Access { watch, .. } if watch.is_revoked()),
        );
        self.end_where(
            EndReason::Expired,
            None,
            |pass| matches!(pass, Pass::Access { expires_at, .. } if *expires_at <= now),
        );
        let late = Instant::now();
        let mut waiting = self.waiting.borrow_mut();
        while waiting.front().is_some_and(|(until, _)| *until <= late) {
            if let Some(listener) = waiting.pop_front().and_then(|(_, listener)| listener.upgrade()) {
                listener.late();
            }
        }
        drop(waiting);
        let round = self.hub.round();
        let all = round != self.round.get();
        if self.verifying.get() {
            return;
        }
        let doubtful = self.tokens(|expires_at| all || expires_at <= now);
        if !doubtful.is_empty() {
            self.verifying.set(true);
            actix_rt::spawn(verify(Rc::clone(self), doubtful));
        }
        self.round.set(round);
    }

    /// The tokens by which clients are in channels, each once.
    fn tokens(&self, of_interest: impl Fn(UnixMillis) -> bool) -> Vec<TokenKey> {
        let mut keys = Vec::new();
        for seats in self.channels.borrow().values() {
            let ids = seats.clients.iter().filter_map(|(_, client)| match &client.pass {
                Pass::Token { id, expires_at, .. } if of_interest(*expires_at) => Some(*id),
                _ => None,
            });
            let mut ids: Vec<[u8; 16]> = ids.collect();
            ids.sort_unstable();
            ids.dedup();
            let name = seats.channel.name().as_str();
            keys.extend(ids.into_iter().map(|id| (name.to_owned(), Pass::token_id(id))));
        }
        keys
    }

    /// Puts out whose token is gone or has expired; the others may stay until it does.
    fn judge(&self, asked: &[TokenKey], found: &[TokenRow], now: UnixMillis) {
        // None: it is gone.
        let mut tokens: HashMap<(&str, [u8; 16]), Option<&TokenRow>> =
            asked.iter().map(|(name, id)| ((name.as_str(), id.to_bytes()), None)).collect();
        tokens.extend(found.iter().map(|row| ((row.channel.as_str(), row.token_id.to_bytes()), Some(row))));
        for seats in self.channels.borrow_mut().values_mut() {
            let channel = Arc::clone(&seats.channel);
            seats.clients.retain(|_, client| {
                let Pass::Token { id, made_at, expires_at } = &mut client.pass else { return true };
                let reason = match tokens.get(&(channel.name().as_str(), *id)) {
                    None => return true,
                    Some(Some(row)) if row.created_at == *made_at && row.expires_at > now => {
                        *expires_at = row.expires_at;
                        return true;
                    }
                    Some(_) if *expires_at <= now => EndReason::Expired,
                    Some(_) => EndReason::Revoked,
                };
                self.end(client, &channel, reason);
                false
            });
        }
    }
}

async fn verify(worker: Rc<Worker>, doubtful: Vec<TokenKey>) {
    for keys in doubtful.chunks(STRIDE) {
        let wanted = keys.to_vec();
        match worker.hub.db().read(move |conn| tokens::find(conn, &wanted)).await {
            Ok(found) => worker.judge(keys, &found, worker.hub.now()),
            Err(error) => {
                tracing::warn!(%error, "tokens of connected clients could not be looked up; trying again");
                break;
            }
        }
    }
    worker.verifying.set(false);
}
