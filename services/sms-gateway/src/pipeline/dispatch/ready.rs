//! Messages of waiting jobs, had from memory or decrypted again: cut for the SMSC they leave by, or routed anew.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use common::crypto::sms_payload::SmsPayload;
use common::models::sms::SmscName;

use crate::domain::attempt::JobKey;
use crate::domain::message::{Form, Outgoing, prepare};
use crate::domain::route::Facts;
use crate::domain::route::allot::Waiting;
use crate::pipeline::Gateway;
use crate::pipeline::links::Link;
use crate::pipeline::openers::Sealed;
use crate::store::StoreError;
use crate::store::queue::{self, Departure, Plan, Step};

/// A job, and the SMSC it is to leave by.
pub(super) struct Leaving {
    pub(super) one: Waiting,
    pub(super) link: Arc<Link>,
}

/// A job's message, or why it can never be had.
type Message = Result<SmsPayload, String>;

/// What came of jobs that were to leave.
#[derive(Default)]
pub(super) struct Ready {
    /// How they leave, or why they cannot be sent.
    pub(super) plans: Vec<Plan>,
    /// The messages of those that leave.
    pub(super) messages: HashMap<JobKey, Outgoing>,
    /// Those whose segments found no room.
    pub(super) crowded: Vec<Leaving>,
}

/// Cuts the messages of jobs as their SMSCs want them, as many as there is room for: how long a message is shows only
/// here. One alone may be longer than the room. A job that cannot be opened for want of a vault is left where it is.
pub(super) async fn make_ready(
    gateway: &Gateway,
    leaving: Vec<Leaving>,
    rooms: &HashMap<SmscName, usize>,
) -> Result<Ready, StoreError> {
    let now = gateway.now();
    let keys = leaving.iter().map(|leaving| leaving.one.key.clone()).collect();
    let mut opened: HashMap<JobKey, Message> = open(gateway, keys).await?.into_iter().collect();
    let mut ready = Ready { plans: Vec::with_capacity(opened.len()), ..Ready::default() };
    let mut taken: HashMap<&SmscName, usize> = HashMap::new();
    for Leaving { one, link } in leaving {
        let Some(message) = opened.remove(&one.key) else { continue };
        let key = one.key.clone();
        let form = link.form_by(gateway.rules.routes.get(&one.route));
        let outgoing = match message.and_then(|message| fit(gateway, message, form)) {
            Ok(outgoing) => outgoing,
            Err(text) => {
                ready.plans.push(Plan { key, departure: Err(text) });
                continue;
            }
        };
        let Some((name, room)) = rooms.get_key_value(&link.name) else { continue };
        let taken = taken.entry(name).or_default();
        let segments = outgoing.segments();
        let after = *taken + usize::try_from(segments).unwrap_or_default();
        if *taken > 0 && after > *room {
            gateway.plaintexts.put(key.id, outgoing.into_message());
            ready.crowded.push(Leaving { one, link });
            continue;
        }
        *taken = after;
        let until = |wait: Duration| now + wait.max(link.longest(after));
        let departure = Departure {
            smsc: link.name.clone(),
            segments,
            give_up_at: until(gateway.settings.unknown_after),
            resend_at: until(gateway.settings.resend_after),
        };
        ready.messages.insert(key.clone(), outgoing);
        ready.plans.push(Plan { key, departure: Ok(departure) });
    }
    Ok(ready)
}

/// Decides the routes of jobs that have none, or one that is no longer configured, and ends those that no route takes.
/// Tells whether there were any.
pub(super) async fn route_anew(gateway: &Gateway, strangers: Vec<Waiting>) -> Result<bool, StoreError> {
    if strangers.is_empty() {
        return Ok(false);
    }
    let classes: HashMap<JobKey, _> = strangers.iter().map(|one| (one.key.clone(), one.class)).collect();
    let (mut decided, mut ended, mut messages) = (Vec::new(), Vec::new(), Vec::new());
    for (key, message) in open(gateway, strangers.into_iter().map(|one| one.key).collect()).await? {
        let class = classes.get(&key).copied().unwrap_or_default();
        let route = message.and_then(|message| fit(gateway, message, Form::default())).and_then(|outgoing| {
            let facts = Facts {
                client: &key.client_id,
                class,
                to: outgoing.to.as_str(),
                sender: outgoing.message().sender(),
            };
            let route = gateway.rules.routes.decide(&facts).map_err(|none| none.to_string())?;
            messages.push((key.id.clone(), outgoing.into_message()));
            Ok(route.name.clone())
        });
        match route {
            Ok(route) => decided.push((key, route)),
            Err(text) => ended.push(Plan { key, departure: Err(text) }),
        }
    }
    let any = !decided.is_empty() || !ended.is_empty();
    if !decided.is_empty() {
        gateway.dispatch.submit(Step::Decide(decided)).await?;
        messages.into_iter().for_each(|(job, message)| gateway.plaintexts.put(job, message));
    }
    if !ended.is_empty() {
        super::claim(gateway, ended).await?;
    }
    Ok(any)
}

fn fit(gateway: &Gateway, message: SmsPayload, form: Form) -> Result<Outgoing, String> {
    prepare(message, &gateway.settings.allowed_numbers, form).map_err(|error| error.to_string())
}

/// Has the messages of jobs, decrypted again where memory no longer has them; without those that cannot be opened now.
async fn open(gateway: &Gateway, keys: Vec<JobKey>) -> Result<Vec<(JobKey, Message)>, StoreError> {
    let mut messages = Vec::with_capacity(keys.len());
    let mut closed = Vec::new();
    for key in keys {
        match gateway.plaintexts.take(&key.id) {
            Some(message) => messages.push((key, Ok(message))),
            None => closed.push(key),
        }
    }
    if closed.is_empty() {
        return Ok(messages);
    }
    let rows = gateway.db.read(move |conn| queue::rows(conn, &closed)).await?;
    let (keys, sealed): (Vec<JobKey>, Vec<Sealed>) =
        rows.iter().filter_map(|row| Some((row.key(), Sealed::of(row)?))).unzip();
    for (key, opened) in keys.into_iter().zip(gateway.openers.open(sealed).await) {
        match opened {
            Err(failure) if failure.is_ours() => {}
            opened => {
                let message = opened.map(|opened| opened.message).map_err(|failure| failure.to_string());
                messages.push((key, message));
            }
        }
    }
    Ok(messages)
}
