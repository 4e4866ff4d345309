//! The jobs of a batch of outcomes: locked and read once, changed in memory, written once.

use std::collections::{BTreeSet, HashMap};

use common::models::UnixMillis;
use db::DbConn;

use super::followed::Followed;
use super::{Event, Rules, StoreError, Told};
use crate::domain::attempt::{Attempt, JobKey, PartEvent};
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
        let mut loaded = match keys.is_empty() {
            true => Vec::new(),
            false => attempts::lock(conn, &keys.into_iter().collect::<Vec<_>>())?,
        };
        // Locked behind the rest. It is rare.
        let heirs = attempts::heirs(conn, &loaded)?;
        if !heirs.is_empty() {
            loaded.extend(attempts::lock(conn, &heirs)?);
        }
        let places = loaded.iter().enumerate().map(|(place, one)| (one.attempt.key.clone(), place)).collect();
        Ok(Self { rules, now, loaded, places })
    }

    /// Brings an event to its segment, and gives the job; `None` when it is gone or with another SMSC now.
    pub(super) fn apply(&mut self, event: Event, told: &mut Told) -> Option<&Loaded> {
        let place = *self.places.get(&event.key)?;
        let (rules, now) = (self.rules, self.now);
        let (one, heir) = with_heir(&mut self.loaded, place)?;
        // Told once more, of a segment that another SMSC was given since, or the same one anew.
        if let Some((smsc, tries)) = &event.from
            && (!one.attempt.is_with(event.part, smsc) || event.event.gives_back() && one.tries - 1 > *tries)
        {
            return None;
        }
        let mut settled = told.settled.get_mut(event.index);
        if let (PartEvent::Receipt(_), Some(settled)) = (&event.event, &mut settled) {
            let waits = one.part(event.part).and_then(|part| part.awaits_receipt_since(now));
            settled.waited = waits.map(|since| now - since);
        }
        let (before, what) = (one.attempt.state, event.event.as_str());
        one.attempt.apply(event.part, event.copy, rules.weigh(&one.attempt, event.event));
        if telemetry::follows()
            && let Some(settled) = settled
        {
            settled.followed.extend(Followed::of(one, event.part, what));
        }
        let mut emissions = one.attempt.settle();
        if before != JobState::Queued && one.attempt.state == JobState::Queued {
            one.attempt.pass_on(rules.has_another(&one.attempt), now);
        }
        one.attempt.tell_by(now + rules.unknown_grace);
        if let Some(after) = rules.query_after(one.attempt.smsc.as_ref()) {
            one.attempt.ask_at(now + after);
        }
        if let Some(heir) = heir {
            emissions = one.attempt.speak_beside(before, &mut heir.attempt, emissions);
        }
        told.causes.extend(emissions.iter().map(|_| event.index));
        told.statuses.extend(one.statuses(rules, emissions));
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

/// Gives a job, and the one that has its ids now, if that is another one.
fn with_heir(loaded: &mut [Loaded], place: usize) -> Option<(&mut Loaded, Option<&mut Loaded>)> {
    let Attempt { key, correl_id, holds, .. } = &loaded.get(place)?.attempt;
    let has_ids = |other: &Attempt| {
        other.holds && other.correl_id == *correl_id && other.key.client_id == key.client_id
    };
    let heir = if *holds { None } else { loaded.iter().position(|other| has_ids(&other.attempt)) };
    match heir {
        Some(heir) => {
            let [one, heir] = loaded.get_disjoint_mut([place, heir]).ok()?;
            Some((one, Some(heir)))
        }
        None => Some((loaded.get_mut(place)?, None)),
    }
}
