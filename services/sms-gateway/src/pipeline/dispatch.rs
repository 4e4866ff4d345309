//! Waiting jobs go out: read, made ready, claimed with a row per segment, and only then handed to a session.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::crypto::sms_payload::SmsPayload;
use common::models::UnixMillis;
use smpp::codec::SubmitSm;
use sms::validity;
use tokio_util::sync::CancellationToken;

use super::Gateway;
use super::links::{Link, Links, Submission};
use super::openers::Sealed;
use super::outcomes::Flight;
use super::rates::ClientRates;
use crate::domain::attempt::JobKey;
use crate::domain::message::{Form, Outgoing, prepare};
use crate::domain::provider::Message;
use crate::store::StoreError;
use crate::store::queue::{self, Claimed, Departure, Plan, Step, Stepped, Wanted};

/// Longest sleep: jobs whose pause ends, or that another instance stored, wake nobody.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The shortest validity_period.
const ONE_SECOND: &str = "000000000001000R";

/// Runs until cancelled, and then lets the sessions end.
pub(crate) async fn run(
    gateway: Arc<Gateway>,
    links: Arc<Links>,
    cancel: CancellationToken,
) -> Result<(), Infallible> {
    let _quiet = links.quiet.clone().drop_guard();
    let mut rates = ClientRates::new(&gateway.settings);
    while !cancel.is_cancelled() {
        let more = match round(&gateway, &links, &mut rates).await {
            Ok(submitted) => submitted > 0,
            Err(error) => {
                tracing::warn!(%error, "jobs cannot be submitted now");
                false
            }
        };
        if more {
            continue;
        }
        let pause = rates.next_share(Instant::now()).unwrap_or(LOOK_EVERY).min(LOOK_EVERY);
        tokio::select! {
            () = cancel.cancelled() => break,
            () = gateway.work.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    Ok(())
}

/// Submits as much as the preferred session has room for; gives the number of segments.
async fn round(gateway: &Gateway, links: &Links, rates: &mut ClientRates) -> Result<usize, StoreError> {
    let Some(link) = links.usable() else { return Ok(0) };
    let room = link.room();
    if room < link.least_room() {
        return Ok(0);
    }
    let limit = i64::try_from(room.min(gateway.settings.batch)).unwrap_or(i64::MAX);
    let resting = rates.resting(Instant::now());
    let wanted = Wanted { now: gateway.now(), smsc: link.name.clone(), resting, limit };
    let keys = gateway.dispatch.submit(Step::Find(wanted)).await?.waiting;
    let shared = |key: &JobKey| rates.take(&key.client_id, Instant::now());
    let keys: Vec<JobKey> = keys.into_iter().filter(shared).collect();
    if keys.is_empty() {
        return Ok(0);
    }
    let (plans, mut ready) = make_ready(gateway, keys, link.form).await?;
    if plans.is_empty() {
        return Ok(0);
    }
    let claimed = claim(gateway, link, plans).await?;
    let mut submissions = Vec::new();
    for claimed in claimed {
        if let Some(outgoing) = ready.remove(&claimed.key) {
            rates.take_more(&claimed.key.client_id, claimed.parts.len().saturating_sub(1));
            submissions.extend(hand_over(link, &claimed, &outgoing, gateway.now()));
        }
    }
    let count = submissions.len();
    gateway.metrics.submitted_total.with_label_values(&[link.name.as_str()]).inc_by(count as u64);
    link.submit(submissions).await;
    Ok(count)
}

/// Has the messages of jobs, decrypted again where memory no longer has them. A job that cannot be opened for want of
/// a vault is left where it is.
async fn make_ready(
    gateway: &Gateway,
    keys: Vec<JobKey>,
    form: Form,
) -> Result<(Vec<Plan>, HashMap<JobKey, Outgoing>), StoreError> {
    let mut plans = Vec::with_capacity(keys.len());
    let mut ready = HashMap::with_capacity(keys.len());
    let mut plan = |key: JobKey, message: Result<SmsPayload, String>| {
        let fits = |message| {
            prepare(message, &gateway.settings.allowed_numbers, form).map_err(|error| error.to_string())
        };
        let segments = message.and_then(fits).map(|outgoing: Outgoing| {
            let count = outgoing.segments();
            ready.insert(key.clone(), outgoing);
            count
        });
        plans.push(Plan { key, segments });
    };
    let mut closed = Vec::new();
    for key in keys {
        match gateway.plaintexts.take(&key.id) {
            Some(message) => plan(key, Ok(message)),
            None => closed.push(key),
        }
    }
    if !closed.is_empty() {
        let rows = gateway.db.read(move |conn| queue::rows(conn, &closed)).await?;
        let (keys, sealed): (Vec<JobKey>, Vec<Sealed>) =
            rows.iter().filter_map(|row| Some((row.key(), Sealed::of(row)?))).unzip();
        for (key, opened) in keys.into_iter().zip(gateway.openers.open(sealed).await) {
            match opened {
                Err(failure) if failure.is_ours() => {}
                opened => {
                    plan(key, opened.map(|opened| opened.message).map_err(|failure| failure.to_string()))
                }
            }
        }
    }
    Ok((plans, ready))
}

async fn claim(gateway: &Gateway, link: &Link, plans: Vec<Plan>) -> Result<Vec<Claimed>, StoreError> {
    let now = gateway.now();
    let departure = Departure {
        smsc: link.name.clone(),
        now,
        give_up_at: now + gateway.settings.unknown_after.max(link.longest()),
        resend_at: now + gateway.settings.resend_after.max(link.longest()),
    };
    let Stepped { claimed, statuses, .. } = gateway.dispatch.submit(Step::Claim(plans, departure)).await?;
    gateway.announcer.announce(&statuses);
    Ok(claimed)
}

/// Registers the segments of a claimed job for their outcomes, and makes their PDUs.
fn hand_over(link: &Link, claimed: &Claimed, outgoing: &Outgoing, now: UnixMillis) -> Vec<Submission> {
    let Claimed { key, parts, tries, copy, reference, deadline } = claimed;
    let validity = link.validity_max.map(|longest| {
        // Less than a second is left, and an empty field would be the SMSC's own, much longer default.
        validity::period(*deadline, now, longest).unwrap_or_else(|| ONE_SECOND.to_owned())
    });
    let register = |part| link.register(Flight { key: key.clone(), part, copy: *copy, tries: *tries });
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
    let numbered = (1_i32..).zip(outgoing.cut(*reference)).filter(|(part, _)| parts.contains(part));
    numbered
        .map(|(part, pdu)| {
            let validity_period = validity.clone().unwrap_or_default();
            let pdu = SubmitSm { validity_period, ..pdu };
            Submission::Segment(smpp::esme::Submission { token: register(part), pdu })
        })
        .collect()
}
