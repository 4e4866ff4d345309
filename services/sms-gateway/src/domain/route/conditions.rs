//! The conditions of a route.

use common::models::sms::{ClientId, SmsClass};

use super::Facts;
use crate::domain::numbers::NumberPrefix;
use crate::settings::RouteSettings;

/// A kind of condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Who sends.
    Client,
    /// What the number begins with.
    Prefix,
    /// How urgent it is.
    Class,
    /// Which sender is named.
    Sender,
}

impl Condition {
    /// Gives its name in the settings.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Client => "clients",
            Self::Prefix => "prefixes",
            Self::Class => "classes",
            Self::Sender => "senders",
        }
    }
}

/// What must hold of a route's messages; an empty list is no condition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    clients: Vec<ClientId>,
    prefixes: Vec<NumberPrefix>,
    classes: Vec<SmsClass>,
    senders: Vec<String>,
}

impl Conditions {
    /// Takes them from the settings.
    pub(crate) fn of(route: &RouteSettings) -> Self {
        Self {
            clients: route.clients.clone(),
            prefixes: route.prefixes.clone(),
            classes: route.classes.clone(),
            senders: route.senders.clone(),
        }
    }

    /// Gives those that there are, and whether each holds.
    pub(crate) fn judge(&self, facts: &Facts<'_>) -> impl Iterator<Item = (Condition, bool)> {
        let judged = [
            (Condition::Client, self.clients.is_empty(), self.clients.contains(facts.client)),
            (
                Condition::Prefix,
                self.prefixes.is_empty(),
                self.prefixes.iter().any(|prefix| prefix.fits(facts.to)),
            ),
            (Condition::Class, self.classes.is_empty(), self.classes.contains(&facts.class)),
            (
                Condition::Sender,
                self.senders.is_empty(),
                self.senders.iter().any(|sender| Some(sender.as_str()) == facts.sender),
            ),
        ];
        judged.into_iter().filter(|(_, none, _)| !none).map(|(condition, _, holds)| (condition, holds))
    }

    /// Gives the first one that does not hold.
    pub(crate) fn unmet(&self, facts: &Facts<'_>) -> Option<Condition> {
        self.judge(facts).find(|(_, holds)| !holds).map(|(condition, _)| condition)
    }

    /// Tells whether these hold wherever `other` do.
    pub(crate) fn cover(&self, other: &Self) -> bool {
        fn cover<T>(ours: &[T], theirs: &[T], covers: impl Fn(&T, &T) -> bool) -> bool {
            let covered = |theirs: &T| ours.iter().any(|ours| covers(ours, theirs));
            ours.is_empty() || !theirs.is_empty() && theirs.iter().all(covered)
        }
        cover(&self.clients, &other.clients, PartialEq::eq)
            && cover(&self.prefixes, &other.prefixes, NumberPrefix::covers)
            && cover(&self.classes, &other.classes, PartialEq::eq)
            && cover(&self.senders, &other.senders, PartialEq::eq)
    }
}
