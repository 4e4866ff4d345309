//! The jobs of a batch of outcomes: locked and read once, changed in memory, written once.

use std::collections::{BTreeSet, HashMap};

use common::models::UnixMillis;
use db::DbConn;

use super::followed::Followed;
use super::{Event, Rules, StoreError, Told};
use crate::domain::attempt::{JobKey, PartEvent};
use crate::domain::state::JobState;
use crate::store::attempts::{self, Loaded};

pub(super) struct Jobs<'a> {
    rules: &'a Rules,
    now: UnixMillis,
    loaded: Vec<Loaded>,
    places: HashMap<JobKey, usize>,
}

impl<'a> Jobs<'a> {
    /// Reads jobs and locks them until the end of the transaction, in the order of their keys.
    pub(super) fn lock(
        conn: &mut DbConn,
        rules: &'a Rules,
        keys: BTreeSet<JobKey>,
        now: UnixMillis,
    ) -> Result<Self, StoreError> {
        let loaded = match keys.is_empty() {
            true => Vec::new(),
            false => attempts::lock(conn, &keys.into_iter().collect::<Vec<_>>())?,
        };
        let places = loaded.iter().enumerate().map(|(place, one)| (one.attempt.key.clone(), place)).collect();
        Ok(Self { rules, now, loaded, places })
    }

    /// Brings an event to its segment, and gives the job; `None` when it is gone or with another SMSC now.
    pub(super) fn apply(&mut self, event: Event, told: &mut Told) -> Option<&Loaded> {
        let one = self.loaded.get_mut(*self.places.get(&event.key)?)?;
        // Told once more, of a segment that another SMSC was given since, or the same one anew.
        if let Some((smsc, tries)) = &event.from
            && (!one.attempt.is_with(event.part, smsc) || event.event.gives_back() && one.tries - 1 > *tries)
        {
            return None;
        }
        let mut settled = told.settled.get_mut(event.index);
        if let (PartEvent::Receipt(_), Some(settled)) = (&event.event, &mut settled) {
            let waits = one.part(event.part).and_then(|part| part.awaits_receipt_since(self.now));
            settled.waited = waits.map(|since| self.now - since);
        }
        let (before, what) = (one.attempt.state, event.event.as_str());
        one.attempt.apply(event.part, event.copy, self.rules.weigh(&one.attempt, event.event));
        if telemetry::follows()
            && let Some(settled) = settled
        {
            settled.followed.extend(Followed::of(one, event.part, what));
        }
        let emissions = one.attempt.settle();
        if before != JobState::Queued && one.attempt.state == JobState::Queued {
            one.attempt.pass_on(self.rules.has_another(&one.attempt), self.now);
        }
        one.attempt.tell_by(self.now + self.rules.unknown_grace);
        if let Some(after) = self.rules.query_after(one.attempt.smsc.as_ref()) {
            one.attempt.ask_at(self.now + after);
        }
        told.causes.extend(emissions.iter().map(|_| event.index));
        told.statuses.extend(one.statuses(self.rules, emissions));
        Some(one)
    }

    /// Writes them, and notes what is used of quotas.
    pub(super) fn write(self, conn: &mut DbConn, told: &mut Told) -> Result<(), StoreError> {
        match self.loaded.is_empty() {
            true => Ok(()),
            false => attempts::write(conn, self.rules, self.loaded, (&mut told.charges, self.now)),
        }
    }
}
