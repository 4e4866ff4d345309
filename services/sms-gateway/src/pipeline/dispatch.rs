//! Waiting jobs go out: read, allotted to SMSCs, made ready, claimed with a row per segment, and only then handed to a
//! session.
//!
//! All routes and SMSCs share one statement that looks and one transaction that claims. What waits for an SMSC that is
//! away or full, or for its route's next token, is not looked at, and so holds nothing up.

mod ready;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::models::UnixMillis;
use common::models::sms::{ClientId, RouteName, SmscName};
use smpp::codec::SubmitSm;
use sms::validity;
use tokio_util::sync::CancellationToken;

use super::links::{Link, Links, Submission};
use super::outcomes::Flight;
use super::rates::Rates;
use super::{Gateway, quota};
use crate::domain::attempt::JobKey;
use crate::domain::message::Outgoing;
use crate::domain::provider::Message;
use crate::domain::route::allot::{Allotter, CLASSES, Offer, Waiting};
use crate::store::StoreError;
use crate::store::queue::{self, Claimed, Lane, Plan, Step, Stepped, Wanted};
use ready::{Leaving, Ready, make_ready, route_anew};

/// Longest sleep: jobs whose pause ends, or that another instance stored, wake nobody.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often routes are looked for that are no longer configured: those of an earlier start, or of another instance.
const LOOK_FOR_STRANGERS_EVERY: Duration = Duration::from_secs(5);
/// The shortest validity_period.
const ONE_SECOND: &str = "000000000001000R";

/// Runs until cancelled, and then lets the sessions end.
pub(crate) async fn run(
    gateway: Arc<Gateway>,
    links: Arc<Links>,
    cancel: CancellationToken,
) -> Result<(), Infallible> {
    let _quiet = links.quiet.clone().drop_guard();
    let mut dispatcher = Dispatcher::new(gateway.clone(), links.clone());
    while !cancel.is_cancelled() {
        let more = match dispatcher.round().await {
            Ok(more) => more,
            Err(error) => {
                tracing::warn!(%error, "jobs cannot be submitted now");
                false
            }
        };
        if more {
            continue;
        }
        tokio::select! {
            () = cancel.cancelled() => break,
            () = gateway.work.notified() => {}
            () = tokio::time::sleep(dispatcher.pause()) => {}
        }
    }
    Ok(())
}

/// What is remembered from one round to the next.
struct Dispatcher {
    gateway: Arc<Gateway>,
    links: Arc<Links>,
    clients: Rates<ClientId>,
    routes: Rates<RouteName>,
    allotter: Allotter,
    /// Messages of each route that were looked at last and that one SMSC has declined: they may wait for another one, and
    /// keep nothing behind them from leaving.
    detoured: HashMap<RouteName, usize>,
    /// Routes that something waits for and that are not configured; the empty name is always looked for.
    strangers: Vec<RouteName>,
    strangers_at: Option<Instant>,
    /// When it was last looked for jobs at all.
    looked_at: Option<Instant>,
}

impl Dispatcher {
    fn new(gateway: Arc<Gateway>, links: Arc<Links>) -> Self {
        let settings = &gateway.settings;
        Self {
            clients: Rates::of_clients(settings),
            routes: Rates::of_routes(settings),
            allotter: Allotter::new(settings.reserved_share, settings.throttle_backoff),
            detoured: HashMap::new(),
            strangers: Vec::new(),
            strangers_at: None,
            looked_at: None,
            gateway,
            links,
        }
    }

    /// Tells how long nothing can leave, if nothing happens.
    fn pause(&self) -> Duration {
        let now = Instant::now();
        let next = self.clients.next_share(now).into_iter().chain(self.routes.next_share(now)).min();
        next.unwrap_or(LOOK_EVERY).min(LOOK_EVERY)
    }

    /// Submits as much as the sessions have room for; tells whether there may be more.
    async fn round(&mut self) -> Result<bool, StoreError> {
        let rooms = self.links.rooms();
        self.share(&rooms);
        let budgets = self.budgets();
        let wanted = self.wanted(&rooms, &budgets);
        // While no route can send, what is pinned or not routed yet is not worth a look at every answer of an SMSC.
        let idle = !wanted.lanes.iter().any(|lane| self.gateway.rules.routes.get(&lane.route).is_some());
        if wanted.pinned.is_empty() || idle && self.looked_at.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return Ok(false);
        }
        self.looked_at = Some(Instant::now());
        let waiting = self.gateway.dispatch.submit(Step::Find(wanted)).await?.waiting;
        let routes = &self.gateway.rules.routes;
        let is_routed = |one: &Waiting| one.pinned.is_some() || routes.get(&one.route).is_some();
        let (waiting, strangers): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_routed);
        if !strangers.iter().any(|one| !one.route.as_str().is_empty()) {
            self.strangers.clear();
        }
        self.look_for_strangers().await?;
        let routed = route_anew(&self.gateway, strangers).await?;

        let leaving = self.allot(waiting, rooms.clone(), budgets);
        if leaving.is_empty() {
            return Ok(routed);
        }
        let Ready { plans, messages, crowded } = make_ready(&self.gateway, leaving, &rooms).await?;
        self.put_back(&crowded);
        if plans.is_empty() {
            return Ok(routed);
        }
        let claimed = claim(&self.gateway, plans).await?;
        Ok(self.hand_over(claimed, messages).await > 0 || routed)
    }

    /// Settles which SMSCs share each route now.
    fn share(&mut self, rooms: &HashMap<SmscName, usize>) {
        let now = self.gateway.now();
        for route in self.gateway.rules.routes.all() {
            let health = |smsc: &SmscName| {
                rooms.get(smsc)?;
                self.links.get(smsc).map(|link| link.health())
            };
            let shares = route.shares(health);
            let spare = |smsc: &&SmscName| {
                rooms.contains_key(*smsc) && !shares.iter().any(|share| share.smsc == **smsc)
            };
            let spare = route.smscs().filter(spare).cloned().collect();
            self.allotter.turns.entry(route.name.clone()).or_default().share(shares, spare, now);
        }
    }

    /// Counts what each route that has a limit may still send.
    fn budgets(&mut self) -> HashMap<RouteName, usize> {
        let now = Instant::now();
        let routes = self.gateway.rules.routes.all().iter();
        routes.filter_map(|route| Some((route.name.clone(), self.routes.left(&route.name, now)?))).collect()
    }

    /// Says what to look for: no more than could leave.
    fn wanted(&mut self, rooms: &HashMap<SmscName, usize>, budgets: &HashMap<RouteName, usize>) -> Wanted {
        let batch = self.gateway.settings.batch;
        let most = |room: usize| i64::try_from(room.min(batch)).unwrap_or(i64::MAX);
        let mut lanes = Vec::new();
        let mut add = |route: &RouteName, most: i64| {
            lanes.extend(CLASSES.map(|class| Lane { route: route.clone(), class, most }));
        };
        for route in self.gateway.rules.routes.all() {
            let next = self.allotter.turns.get(&route.name).and_then(|turns| turns.next());
            let open = next.and_then(|smsc| rooms.get(smsc)).is_some_and(|room| *room > 0);
            let room: usize = route.smscs().filter_map(|smsc| rooms.get(smsc)).sum();
            let room = budgets.get(&route.name).map_or(room, |budget| room.min(*budget));
            if open && room > 0 {
                let detoured = self.detoured.get(&route.name).copied().unwrap_or_default();
                add(&route.name, most(room).saturating_add(most(detoured)));
            }
        }
        let pinned = rooms.iter().filter(|(_, room)| **room > 0);
        let pinned: Vec<_> = pinned.map(|(smsc, room)| (smsc.clone(), most(*room))).collect();
        if !pinned.is_empty() {
            add(&"".into(), most(batch));
            self.strangers.iter().for_each(|route| add(route, most(batch)));
        }
        let resting = self.clients.resting(Instant::now());
        Wanted { now: self.gateway.now(), lanes, pinned, resting }
    }

    async fn look_for_strangers(&mut self) -> Result<(), StoreError> {
        if self.strangers_at.is_some_and(|at| at.elapsed() < LOOK_FOR_STRANGERS_EVERY) {
            return Ok(());
        }
        self.strangers_at = Some(Instant::now());
        let mut strangers = self.gateway.db.read(queue::routes).await?;
        strangers.retain(|name| !name.as_str().is_empty() && self.gateway.rules.routes.get(name).is_none());
        if !strangers.is_empty() {
            tracing::info!(routes = ?strangers, "jobs of routes that are not configured are routed anew");
        }
        self.strangers = strangers;
        Ok(())
    }

    fn allot(
        &mut self,
        waiting: Vec<Waiting>,
        rooms: HashMap<SmscName, usize>,
        budgets: HashMap<RouteName, usize>,
    ) -> Vec<Leaving> {
        self.detoured.clear();
        for one in waiting.iter().filter(|one| !one.tried.is_empty()) {
            *self.detoured.entry(one.route.clone()).or_default() += 1;
        }
        let now = Instant::now();
        let clients = &mut self.clients;
        let mut admit = |client: &ClientId| clients.take(client, now);
        let mut offer = Offer { rooms, budgets, admit: &mut admit, now: self.gateway.now() };
        let allotted = self.allotter.allot(waiting, &mut offer);
        for (one, _) in &allotted {
            self.routes.take(&one.route, now);
        }
        let leaving = |(one, smsc): (Waiting, SmscName)| {
            let link = self.links.get(&smsc)?.clone();
            Some(Leaving { one, link })
        };
        allotted.into_iter().filter_map(leaving).collect()
    }

    /// Gives back what messages took that do not leave yet.
    fn put_back(&mut self, crowded: &[Leaving]) {
        for Leaving { one, link } in crowded {
            self.clients.put_back(&one.key.client_id);
            self.routes.put_back(&one.route);
            self.allotter.put_back(one, &link.name);
        }
    }

    /// Hands what was claimed to the sessions; gives the number of segments.
    async fn hand_over(&mut self, claimed: Vec<Claimed>, mut ready: HashMap<JobKey, Outgoing>) -> usize {
        let mut submissions: HashMap<SmscName, Vec<Submission>> = HashMap::new();
        for claimed in claimed {
            let (Some(link), Some(outgoing)) = (self.links.get(&claimed.smsc), ready.remove(&claimed.key))
            else {
                continue;
            };
            let segments = hand_over(link, &claimed, &outgoing, self.gateway.now());
            let more = segments.len().saturating_sub(1);
            self.clients.take_more(&claimed.key.client_id, more);
            self.routes.take_more(&claimed.route, more);
            self.allotter.took_more(&claimed.route, &claimed.smsc, more);
            let routed = self.gateway.metrics.routed_total.with_label_values(&[claimed.route.as_str()]);
            routed.inc_by(segments.len() as u64);
            submissions.entry(claimed.smsc).or_default().extend(segments);
        }
        let mut count = 0;
        for (smsc, submissions) in submissions {
            count += submissions.len();
            let submitted = self.gateway.metrics.submitted_total.with_label_values(&[smsc.as_str()]);
            submitted.inc_by(submissions.len() as u64);
            if let Some(link) = self.links.get(&smsc) {
                link.submit(submissions).await;
            }
        }
        count
    }
}

async fn claim(gateway: &Gateway, plans: Vec<Plan>) -> Result<Vec<Claimed>, StoreError> {
    let step = Step::Claim(plans, gateway.now());
    let Stepped { claimed, statuses, quotas, .. } = gateway.dispatch.submit(step).await?;
    gateway.announcer.announce(&statuses);
    quota::tell(gateway, quotas);
    Ok(claimed)
}

/// Registers the segments of a claimed job for their outcomes, and makes their PDUs.
fn hand_over(link: &Link, claimed: &Claimed, outgoing: &Outgoing, now: UnixMillis) -> Vec<Submission> {
    let Claimed { key, parts, tries, copy, reference, deadline, .. } = claimed;
    let validity = link.validity_max.map(|longest| {
        // Less than a second is left, and an empty field would be the SMSC's own, much longer default.
        validity::period(*deadline, now, longest).unwrap_or_else(|| ONE_SECOND.to_owned())
    });
    let register = |part| {
        telemetry::follow!(
            claimed.trace,
            client.id = key.client_id.as_str(),
            job.id = key.id.as_str(),
            sms.part = part,
            smsc = link.name.as_str(),
            "a segment goes to the SMSC"
        );
        link.register(Flight { key: key.clone(), part, copy: *copy, tries: *tries })
    };
    if link.takes_whole() {
        let message = |part: &i32| {
            let message = Message {
                to: outgoing.to.clone(),
                payload: outgoing.message().clone(),
                reference: key.id.clone(),
                deadline: *deadline,
            };
            Submission::message(register(*part), message)
        };
        return parts.iter().map(message).collect();
    }
    // It may still wait in the session for a slot, or for its rate.
    let not_after = Instant::now().checked_add(*deadline - now);
    let numbered = (1_i32..).zip(outgoing.cut(*reference)).filter(|(part, _)| parts.contains(part));
    numbered
        .map(|(part, pdu)| {
            let validity_period = validity.clone().unwrap_or_default();
            let pdu = SubmitSm { validity_period, ..pdu };
            Submission::Segment(smpp::esme::Submission { token: register(part), pdu, not_after })
        })
        .collect()
}
