//! SMSCs that refuse our credentials: since when, and which messages have no other way.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use common::models::sms::SmscName;
use smpp::codec::CommandStatus;

use super::{Link, Links};
use crate::domain::route::{Hopeless, Route, Routes};

impl Links {
    /// Says what cannot be sent, as SMSCs have refused our credentials for longer than `patience`.
    pub(crate) fn hopeless(&self, routes: &Routes, patience: Duration) -> Vec<(Hopeless, CommandStatus)> {
        let refusal = |link: &Arc<Link>| {
            let (status, since) = link.ways().iter().find(|way| way.submits())?.alarm()?;
            (since.elapsed() >= patience).then(|| (link.name.clone(), status))
        };
        let refusals: HashMap<SmscName, CommandStatus> = self.links.iter().filter_map(refusal).collect();
        let mut submitting = self.links.iter().filter(|link| link.submitter.is_some());
        let first = refusals.values().next().copied();
        match first {
            None => Vec::new(),
            Some(status) if submitting.all(|link| refusals.contains_key(&link.name)) => {
                vec![(Hopeless::All, status)]
            }
            Some(_) => {
                let of_route = |route: &Route| {
                    let status = refusals.get(route.smscs().next()?)?;
                    let all = route.smscs().all(|smsc| refusals.contains_key(smsc));
                    all.then(|| (Hopeless::Route(route.name.clone()), *status))
                };
                let lost = routes.all().iter().filter_map(of_route);
                let pinned = refusals.iter().map(|(smsc, status)| (Hopeless::Pinned(smsc.clone()), *status));
                lost.chain(pinned).collect()
            }
        }
    }
}
