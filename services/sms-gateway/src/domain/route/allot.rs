//! Which of the waiting messages leave next, and by which SMSC.
//!
//! In: messages that wait, the room of each SMSC, what each route may still send. Out: messages with their SMSC. What
//! must hold: a message of which an SMSC has a part goes to no other; a message goes to an SMSC that had it in this try
//! only when no other could take it; urgent ones go first, but of what an SMSC takes, each lower class gets its reserved
//! part as long as it has any that wait for it.

use std::collections::HashMap;
use std::time::Duration;

use common::models::UnixMillis;
use common::models::sms::{ClientId, RouteName, SmsClass, SmscName};

use super::turns::Turns;
use crate::domain::attempt::JobKey;

/// The classes, the most urgent first.
pub(crate) const CLASSES: [SmsClass; 3] = [SmsClass::Otp, SmsClass::Alert, SmsClass::Bulk];
/// What a class may be owed at most: messages that left in its place.
const MOST_OWED: f64 = 16.0;

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Which one.
    pub(crate) key: JobKey,
    /// Its route; none that is configured for one that is still to be routed.
    pub(crate) route: RouteName,
    /// How urgent it is.
    pub(crate) class: SmsClass,
    /// Since when it could leave.
    pub(crate) due_at: UnixMillis,
    /// The SMSC that has a part of it, or may have all.
    pub(crate) pinned: Option<SmscName>,
    /// SMSCs that did not take it in this try.
    pub(crate) tried: Vec<SmscName>,
}

impl Waiting {
    /// Tells whether sending it is a turn of the SMSC's: where it must go, or goes round another, is not.
    fn takes_turn(&self) -> bool {
        self.pinned.is_none() && self.tried.is_empty()
    }
}

/// What can leave now.
pub(crate) struct Offer<'a> {
    /// Segments that each usable SMSC has room for.
    pub(crate) rooms: HashMap<SmscName, usize>,
    /// Messages that each route may send.
    pub(crate) budgets: HashMap<RouteName, usize>,
    /// Takes a client's token for one more message, if there is one.
    pub(crate) admit: &'a mut dyn FnMut(&ClientId) -> bool,
    /// Now.
    pub(crate) now: UnixMillis,
}

impl Offer<'_> {
    fn has_room(&self, smsc: &SmscName) -> bool {
        self.rooms.get(smsc).is_some_and(|room| *room > 0)
    }

    /// Takes room for a message, and its client's token.
    fn take(&mut self, one: &Waiting, smsc: &SmscName) -> bool {
        let within = self.budgets.get(&one.route).is_none_or(|budget| *budget > 0);
        if !within || !self.has_room(smsc) || !(self.admit)(&one.key.client_id) {
            return false;
        }
        for left in self.rooms.get_mut(smsc).into_iter().chain(self.budgets.get_mut(&one.route)) {
            *left = left.saturating_sub(1);
        }
        true
    }
}

/// Allots messages to SMSCs, and remembers who is owed what.
pub(crate) struct Allotter {
    /// The turns of each route.
    pub(crate) turns: HashMap<RouteName, Turns>,
    /// Messages that each class is owed by each SMSC.
    owed: HashMap<SmscName, [f64; CLASSES.len()]>,
    /// The part of what an SMSC takes that is each lower class's.
    reserved: f64,
    /// How long a message waits for an SMSC that did not have it yet, while none can be used.
    patience: Duration,
}

impl Allotter {
    /// Makes one.
    pub(crate) fn new(reserved: f64, patience: Duration) -> Self {
        Self { turns: HashMap::new(), owed: HashMap::new(), reserved, patience }
    }

    /// Picks what leaves now.
    pub(crate) fn allot(
        &mut self,
        mut waiting: Vec<Waiting>,
        offer: &mut Offer<'_>,
    ) -> Vec<(Waiting, SmscName)> {
        waiting.sort_by(|one, other| {
            let order = |one: &Waiting| (one.pinned.is_none(), rank(one.class), one.due_at);
            order(one).cmp(&order(other)).then_with(|| one.key.id.cmp(&other.key.id))
        });
        let mut leaving = Vec::new();
        // What is owed first, the lowest class before the others.
        for class in (1..CLASSES.len()).rev() {
            waiting = self.pass(waiting, offer, &mut leaving, |one, owed| {
                rank(one.class) == class
                    && one.pinned.is_none()
                    && owed.get(class).is_some_and(|owed| *owed >= 1.0)
            });
        }
        let waits: Vec<bool> =
            (0..CLASSES.len()).map(|class| waiting.iter().any(|one| rank(one.class) == class)).collect();
        for (class, waits) in waits.into_iter().enumerate() {
            // Who has nothing that waits is owed nothing.
            if !waits {
                self.owed.values_mut().filter_map(|owed| owed.get_mut(class)).for_each(|owed| *owed = 0.0);
            }
        }
        let left = self.pass(waiting, offer, &mut leaving, |_, _| true);
        self.owe(&leaving, &left);
        leaving
    }

    /// Takes what messages of a route turned out to be in segments, more than one each.
    pub(crate) fn took_more(&mut self, route: &RouteName, smsc: &SmscName, segments: usize) {
        if let Some(turns) = self.turns.get_mut(route) {
            turns.took(smsc, segments);
        }
    }

    /// Takes back that a message leaves: it goes on waiting.
    pub(crate) fn put_back(&mut self, one: &Waiting, smsc: &SmscName) {
        if let Some(turns) = self.turns.get_mut(&one.route).filter(|_| one.takes_turn()) {
            turns.put_back(smsc);
        }
    }

    /// Goes once through what waits, in its order; gives what goes on waiting.
    fn pass(
        &mut self,
        waiting: Vec<Waiting>,
        offer: &mut Offer<'_>,
        leaving: &mut Vec<(Waiting, SmscName)>,
        may: impl Fn(&Waiting, &[f64; CLASSES.len()]) -> bool,
    ) -> Vec<Waiting> {
        let mut left = Vec::with_capacity(waiting.len());
        for one in waiting {
            let Some(smsc) = self.choose(&one, offer.now) else {
                left.push(one);
                continue;
            };
            let owed = self.owed.get(&smsc).copied().unwrap_or_default();
            if !may(&one, &owed) || !offer.take(&one, &smsc) {
                left.push(one);
                continue;
            }
            if let Some(owed) = self.owed.get_mut(&smsc).and_then(|owed| owed.get_mut(rank(one.class))) {
                *owed = (*owed - 1.0).max(0.0);
            }
            if let Some(turns) = self.turns.get_mut(&one.route).filter(|_| one.takes_turn()) {
                turns.took(&smsc, 1);
            }
            leaving.push((one, smsc));
        }
        left
    }

    /// Tells which SMSC a message is to go to.
    fn choose(&self, one: &Waiting, now: UnixMillis) -> Option<SmscName> {
        if let Some(smsc) = &one.pinned {
            return Some(smsc.clone());
        }
        let turns = self.turns.get(&one.route)?;
        if one.takes_turn() {
            return turns.next().cloned();
        }
        let alone =
            || now >= one.due_at + self.patience && !turns.had_another(&one.tried, now - self.patience);
        let again = || turns.next().filter(|_| alone());
        turns.detour(&one.tried).or_else(again).cloned()
    }

    /// Notes what lower classes are owed for what left while they waited.
    fn owe(&mut self, leaving: &[(Waiting, SmscName)], left: &[Waiting]) {
        let lowest = left.iter().map(|one| rank(one.class)).max().unwrap_or_default();
        for (one, smsc) in leaving {
            let owed = self.owed.entry(smsc.clone()).or_default();
            for owed in owed.iter_mut().take(lowest + 1).skip(rank(one.class) + 1) {
                *owed = (*owed + self.reserved).min(MOST_OWED);
            }
        }
    }
}

fn rank(class: SmsClass) -> usize {
    CLASSES.iter().position(|known| *known == class).unwrap_or(CLASSES.len() - 1)
}

#[cfg(test)]
mod tests;
