//! Messages from handsets: parts are kept until they are whole, whole ones go to their owner, once.
//!
//! A message's row stays locked from the look at its parts to the commit, so that two instances with one part each
//! cannot both miss the other's. Those who lock several do it in one order. Handsets write little: the number of
//! statements grows with the batch here.

mod joining;
mod parts;
mod published;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use common::crypto::sms_inbound::InboundBody;
use common::models::UnixMillis;
use common::models::sms::{ClientId, InboundKeyword, SmsInbound};
use db::DbConn;

use super::{StoreError, opt_outs};
use crate::domain::inbound::owners::{Meaning, Owners, Subject, Unsealable, Whole};
use crate::domain::inbound::{Fragment, InboundKey, join};
use crate::domain::recipient::RecipientKey;

pub(crate) use parts::{Incomplete, ROUND, overdue, prune};
pub(crate) use published::{InboundRow, since};

/// What a batch is taken with.
pub(crate) struct Desk {
    /// Names and encrypts parts.
    pub(crate) key: InboundKey,
    /// Names senders.
    pub(crate) recipients: RecipientKey,
    /// Whose messages are whose.
    pub(crate) owners: Arc<Owners>,
    /// Topic of whole messages.
    pub(crate) topic: String,
    /// How long what comes again counts as a repetition.
    pub(crate) repeats: Duration,
}

/// What is to be done.
#[derive(Clone)]
pub(crate) enum Task {
    /// An SMSC has brought this.
    Take(Fragment),
    /// Of the message of this name no more parts are waited for, if the first came before.
    Close(String, UnixMillis),
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Kept until the other parts come.
    Kept,
    /// On its way to its owner.
    Published,
    /// The same had come before.
    Repeated,
    /// A word that was acted on, of which no owner is told.
    Keyword,
    /// Nobody's; nothing is kept.
    Unowned,
    /// Its owner has no key; nothing has changed, it is to be brought again.
    Keyless,
    /// Its parts cannot be decrypted, and are gone.
    Lost,
    /// There was nothing to do.
    Gone,
}

impl Fate {
    /// Gives the label of metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Published => "published",
            Self::Repeated => "repeated",
            Self::Keyword => "keyword",
            Self::Unowned => "unowned",
            Self::Keyless => "keyless",
            Self::Lost => "lost",
            Self::Gone => "gone",
        }
    }
}

/// The answer to a task.
#[derive(Clone)]
pub(crate) struct Taken {
    /// What became of it.
    pub(crate) fate: Fate,
    /// Client and sender (as keyed hash), if the sender says that the client's messages are to stop.
    pub(crate) stops: BTreeSet<(ClientId, String)>,
    /// Words that were new.
    pub(crate) words: Vec<InboundKeyword>,
}

impl From<Fate> for Taken {
    fn from(fate: Fate) -> Self {
        Self { fate, stops: BTreeSet::new(), words: Vec::new() }
    }
}

/// What a batch leads to, stored at its end.
#[derive(Default)]
struct Harvest {
    /// By the place in the batch, which is the order of arrival.
    records: Vec<(usize, SmsInbound)>,
    /// Later ones override earlier ones.
    words: Vec<(usize, (ClientId, String), InboundKeyword)>,
}

/// Takes a batch.
pub(crate) fn take(
    conn: &mut DbConn,
    desk: &Desk,
    batch: &[Task],
    now: UnixMillis,
) -> Result<Vec<Taken>, StoreError> {
    let mut order: Vec<(String, usize)> =
        batch.iter().enumerate().map(|(place, task)| (desk.lock_name(task), place)).collect();
    order.sort_unstable();
    let mut taken: Vec<Taken> = vec![Fate::Gone.into(); batch.len()];
    let mut harvest = Harvest::default();
    for (_, place) in order {
        let (Some(task), Some(answer)) = (batch.get(place), taken.get_mut(place)) else { continue };
        *answer = match task {
            Task::Take(fragment) => match fragment.place {
                None => desk.take_whole(conn, fragment, place, now, &mut harvest)?,
                Some(part) => desk.take_part(conn, fragment, part, (place, now), &mut harvest)?.into(),
            },
            Task::Close(name, before) => desk.close(conn, name, (*before, place, now), &mut harvest)?.into(),
        };
    }
    harvest.words.sort_by_key(|(place, ..)| *place);
    let last: BTreeMap<_, _> =
        harvest.words.into_iter().map(|(place, whom, word)| (whom, (place, word))).collect();
    for ((client, sender), (place, word)) in last {
        let is_new = match word {
            InboundKeyword::Stop => opt_outs::put(conn, &client, &sender, now)?,
            InboundKeyword::Start => opt_outs::remove(conn, &client, &sender)?,
        };
        if let Some(taken) = taken.get_mut(place).filter(|_| is_new) {
            taken.words.push(word);
        }
    }
    harvest.records.sort_by_key(|(place, _)| *place);
    let records: Vec<SmsInbound> = harvest.records.into_iter().map(|(_, record)| record).collect();
    published::publish(conn, &desk.topic, &records, now)?;
    Ok(taken)
}

impl Desk {
    /// Names what a task locks first.
    fn lock_name(&self, task: &Task) -> String {
        match task {
            Task::Close(name, _) => name.clone(),
            Task::Take(fragment) => match fragment.place {
                Some(place) => self.key.message(fragment, place),
                None => self.key.digest(fragment),
            },
        }
    }

    /// Takes a message of one SMS.
    fn take_whole(
        &self,
        conn: &mut DbConn,
        fragment: &Fragment,
        place: usize,
        now: UnixMillis,
        harvest: &mut Harvest,
    ) -> Result<Taken, StoreError> {
        let body = join(&[Some(fragment.piece.clone())]);
        let Meaning { owner, words } = self.meaning(fragment, &body, true);
        let sender = self.recipients.hash(&fragment.from);
        let words: Vec<_> = sender.map_or_else(Vec::new, |sender| {
            words.into_iter().map(|(client, word)| ((client, sender.clone()), word)).collect()
        });
        if owner.is_none() && words.is_empty() {
            return Ok(Fate::Unowned.into());
        }
        let whole = Whole { from: &fragment.from, to: &fragment.to, body, parts: 1, partial: false };
        let record = match owner.map(|owner| self.owners.record(owner, whole, now)).transpose() {
            Ok(record) => record,
            Err(error) => return Ok(keyless(&error).into()),
        };
        let stops = words.iter().filter(|(_, word)| *word == InboundKeyword::Stop);
        let stops = stops.map(|(whom, _)| whom.clone()).collect();
        if !parts::is_first(conn, &self.key.digest(fragment), self.repeats, now)? {
            // Perhaps said once more since a START. That one is not: who repeats a word is to get less, not more.
            let stop = words.into_iter().filter(|(_, word)| *word == InboundKeyword::Stop);
            harvest.words.extend(stop.map(|(whom, word)| (place, whom, word)));
            return Ok(Taken { stops, ..Fate::Repeated.into() });
        }
        let fate = if record.is_some() { Fate::Published } else { Fate::Keyword };
        harvest.records.extend(record.map(|record| (place, record)));
        harvest.words.extend(words.into_iter().map(|(whom, word)| (place, whom, word)));
        Ok(Taken { stops, ..fate.into() })
    }

    fn meaning(&self, fragment: &Fragment, body: &InboundBody, alone: bool) -> Meaning<'_> {
        let text = match body {
            InboundBody::Text(text) => Some(text.as_str()),
            InboundBody::Binary { .. } => None,
        };
        self.owners.meaning(&Subject { smsc: &fragment.smsc, to: &fragment.to, text, alone })
    }
}

fn keyless(error: &Unsealable) -> Fate {
    tracing::error!(%error, "a message from a handset cannot be encrypted for its owner; it is to be brought again");
    Fate::Keyless
}

#[cfg(test)]
mod tests;
