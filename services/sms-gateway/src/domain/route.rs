//! Which way a message goes: routes by client, number, class and sender, and the SMSCs of each.
//!
//! In: the settings, and what is known of an open message. Out: the first route whose conditions all hold, and how its
//! SMSCs share what takes it. What must hold: the gateway and `sealpost sms route` decide by these functions alone.

pub(crate) mod allot;
mod conditions;
pub(crate) mod health;
#[cfg(test)]
mod tests;
pub(crate) mod turns;

use common::models::sms::{ClientId, RouteName, SmsClass, SmscName};
use sms::LongText;

use super::price::Price;
use crate::settings::{RouteSettings, Settings};
pub(crate) use conditions::Conditions;

/// The route of a gateway whose settings name none: all SMSCs in order of preference.
const IMPLICIT: &str = "default";

/// What routes are chosen by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// Who sends.
    pub(crate) client: &'a ClientId,
    /// How urgent it is.
    pub(crate) class: SmsClass,
    /// The recipient's number, with its `+`.
    pub(crate) to: &'a str,
    /// The sender that the message names.
    pub(crate) sender: Option<&'a str>,
}

/// No route takes a message; INVALID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no route to this number")]
pub(crate) struct NoRoute;

/// One route.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// Its name.
    pub(crate) name: RouteName,
    /// What must hold of its messages.
    pub(crate) conditions: Conditions,
    /// SMSCs with their weights: those that share its messages, then each backup.
    pub(crate) tiers: Vec<Vec<(SmscName, u32)>>,
    /// How long texts leave by it, if not as its SMSCs say.
    pub(crate) long_text: Option<LongText>,
    /// What a segment costs.
    pub(crate) price: Option<Price>,
    /// The currency of that.
    pub(crate) currency: String,
}

impl Route {
    fn of(settings: &RouteSettings) -> Self {
        let first = settings.smscs.iter().map(|share| (share.name.clone(), share.weight)).collect();
        let backup = settings.backup.iter().map(|name| vec![(name.clone(), 1)]);
        Self {
            name: settings.name.clone(),
            conditions: Conditions::of(settings),
            tiers: std::iter::once(first).chain(backup).collect(),
            long_text: settings.long_text,
            price: settings.price,
            currency: settings.currency.clone(),
        }
    }

    fn implicit(settings: &Settings) -> Self {
        Self {
            name: IMPLICIT.into(),
            conditions: Conditions::default(),
            tiers: settings.submitting().map(|name| vec![(name.clone(), 1)]).collect(),
            long_text: None,
            price: None,
            currency: String::new(),
        }
    }

    /// Gives its SMSCs, those that share it first.
    pub(crate) fn smscs(&self) -> impl Iterator<Item = &SmscName> {
        self.tiers.iter().flatten().map(|(name, _)| name)
    }

    /// Gives the parts of its messages that its SMSCs are due now; they add up to 1, unless there are none.
    ///
    /// `health` tells of an SMSC which part of its weight it keeps, or `None` for one that can take nothing. A tier
    /// whose best SMSC keeps less than all of its weight leaves the rest to the next one.
    pub(crate) fn shares(&self, health: impl Fn(&SmscName) -> Option<f64>) -> Vec<Share> {
        let mut shares: Vec<Share> = Vec::new();
        let mut left = 1.0;
        for tier in &self.tiers {
            let usable = tier.iter().filter_map(|(name, weight)| Some((name, *weight, health(name)?)));
            let usable: Vec<(&SmscName, u32, f64)> = usable.filter(|(_, _, health)| *health > 0.0).collect();
            let best = usable.iter().fold(0.0, |best: f64, (_, _, health)| best.max(*health));
            let total: f64 = usable.iter().map(|(_, weight, health)| f64::from(*weight) * health).sum();
            for (name, weight, health) in usable {
                let part = left * best * f64::from(weight) * health / total;
                shares.push(Share { smsc: name.clone(), part });
            }
            left *= 1.0 - best;
            if left <= 0.0 {
                break;
            }
        }
        // Where there is no next tier, the sick ones take all.
        let total: f64 = shares.iter().map(|share| share.part).sum();
        shares.iter_mut().for_each(|share| share.part /= total);
        shares
    }
}

/// An SMSC's part of a route's messages.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Share {
    /// The SMSC.
    pub(crate) smsc: SmscName,
    /// The part, above 0 and at most 1.
    pub(crate) part: f64,
}

/// Messages for which there is no way, as the SMSCs that they could leave by refuse us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hopeless {
    /// All.
    All,
    /// Those of a route that are not bound to one SMSC.
    Route(RouteName),
    /// Those of which this SMSC has a part, or may have all.
    Pinned(SmscName),
}

/// All routes, in order.
#[derive(Clone, Debug)]
pub(crate) struct Routes(Vec<Route>);

impl Routes {
    /// Takes those of the settings, or the implicit one.
    pub(crate) fn new(settings: &Settings) -> Self {
        match settings.route.as_slice() {
            [] => Self(vec![Route::implicit(settings)]),
            routes => Self(routes.iter().map(Route::of).collect()),
        }
    }

    /// Gives the first route whose conditions hold.
    ///
    /// # Errors
    /// [`NoRoute`].
    pub(crate) fn decide(&self, facts: &Facts<'_>) -> Result<&Route, NoRoute> {
        self.0.iter().find(|route| route.conditions.unmet(facts).is_none()).ok_or(NoRoute)
    }

    /// Gives all of them.
    pub(crate) fn all(&self) -> &[Route] {
        &self.0
    }

    /// Finds one by its name.
    pub(crate) fn get(&self, name: &RouteName) -> Option<&Route> {
        self.0.iter().find(|route| route.name == *name)
    }

    /// Tells whether a route has an SMSC that is none of `tried`.
    pub(crate) fn has_another(&self, name: &RouteName, tried: &[SmscName]) -> bool {
        self.get(name).is_some_and(|route| route.smscs().any(|smsc| !tried.contains(smsc)))
    }
}
