//! Waiting jobs go out: read, made ready, claimed with a row per segment, and only then handed to a session.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::crypto::sms_payload::SmsPayload;
use common::models::UnixMillis;
use smpp::codec::SubmitSm;
use smpp::esme::Submission;
use sms::validity;
use tokio_util::sync::CancellationToken;

use super::Gateway;
use super::links::{Link, Links};
use super::openers::{OpenFailure, Opened, Sealed};
use super::outcomes::Flight;
use super::rates::ClientRates;
use crate::domain::attempt::JobKey;
use crate::domain::message::{Form, Outgoing, prepare};
use crate::store::queue::{self, Claimed, Departure, Plan, Wanted};
use crate::store::rows::JobRow;
use crate::store::{Rules, StoreError};

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
    let room = link.room().min(gateway.settings.batch);
    if room == 0 {
        return Ok(0);
    }
    let (now, limit) = (gateway.now(), i64::try_from(room).unwrap_or(i64::MAX));
    let wanted = Wanted { smsc: link.name.clone(), resting: rates.resting(Instant::now()), limit };
    let rows = gateway.db.read(move |conn| queue::waiting(conn, &wanted, now)).await?;
    let shared = |row: &JobRow| rates.take(&row.client_id, Instant::now());
    let rows: Vec<JobRow> = rows.into_iter().filter(shared).collect();
    if rows.is_empty() {
        return Ok(0);
    }
    let (plans, mut ready) = make_ready(gateway, rows, link.form).await;
    if plans.is_empty() {
        return Ok(0);
    }
    let claimed = claim(gateway, link, plans).await?;
    let mut submissions = Vec::new();
    for claimed in claimed {
        if let Some(outgoing) = ready.remove(&claimed.key) {
            rates.take_more(&claimed.key.client_id, claimed.parts.len().saturating_sub(1));
            submissions.extend(hand_over(link, &claimed, &outgoing, now));
        }
    }
    let count = submissions.len();
    gateway.metrics.submitted_total.with_label_values(&[&link.name]).inc_by(count as u64);
    link.submit(submissions).await;
    Ok(count)
}

/// Has the messages of jobs, decrypted again where memory no longer has them. A job that cannot be opened for want of
/// a vault is left where it is.
async fn make_ready(
    gateway: &Gateway,
    rows: Vec<JobRow>,
    form: Form,
) -> (Vec<Plan>, HashMap<JobKey, Outgoing>) {
    let mut messages: HashMap<JobKey, Result<SmsPayload, OpenFailure>> = HashMap::new();
    let mut closed = Vec::new();
    let mut sealed = Vec::new();
    for row in &rows {
        match (gateway.plaintexts.take(&row.id), &row.payload) {
            (Some(message), _) => {
                messages.insert(row.key(), Ok(message));
            }
            (None, Some(_)) => {
                closed.push(row.key());
                sealed.push(Sealed::of(row));
            }
            (None, None) => {}
        }
    }
    if !sealed.is_empty() {
        let opened = gateway.openers.open(sealed).await;
        let opened = opened.into_iter().map(|opened| opened.map(|Opened { message, .. }| message));
        messages.extend(closed.into_iter().zip(opened));
    }
    let mut plans = Vec::with_capacity(rows.len());
    let mut ready = HashMap::with_capacity(rows.len());
    for row in rows {
        let key = row.key();
        let segments = match messages.remove(&key) {
            None => continue,
            Some(Err(failure)) if failure.is_ours() => continue,
            Some(Err(failure)) => Err(failure.to_string()),
            Some(Ok(message)) => match prepare(message, &gateway.settings.allowed_numbers, form) {
                Ok(outgoing) => {
                    let count = outgoing.segments();
                    ready.insert(key.clone(), outgoing);
                    Ok(count)
                }
                Err(error) => Err(error.to_string()),
            },
        };
        plans.push(Plan { key, segments });
    }
    (plans, ready)
}

async fn claim(gateway: &Gateway, link: &Link, plans: Vec<Plan>) -> Result<Vec<Claimed>, StoreError> {
    let now = gateway.now();
    let departure = Departure {
        smsc: link.name.clone(),
        now,
        give_up_at: now + gateway.settings.unknown_after,
        resend_at: now + gateway.settings.resend_after,
    };
    let rules: Arc<Rules> = gateway.rules.clone();
    let (claimed, published) =
        gateway.db.write(move |conn| queue::claim(conn, &rules, &plans, &departure)).await?;
    gateway.announcer.announce(&published);
    Ok(claimed)
}

/// Registers the segments of a claimed job for their outcomes, and makes their PDUs.
fn hand_over(link: &Link, claimed: &Claimed, outgoing: &Outgoing, now: UnixMillis) -> Vec<Submission> {
    let Claimed { key, parts, tries, copy, reference, deadline } = claimed;
    let validity = link.validity_max.map(|longest| {
        // Less than a second is left, and an empty field would be the SMSC's own, much longer default.
        validity::period(*deadline, now, longest).unwrap_or_else(|| ONE_SECOND.to_owned())
    });
    let numbered = (1_i32..).zip(outgoing.cut(*reference)).filter(|(part, _)| parts.contains(part));
    numbered
        .map(|(part, pdu)| {
            let token = link.register(Flight { key: key.clone(), part, copy: *copy, tries: *tries });
            let validity_period = validity.clone().unwrap_or_default();
            Submission { token, pdu: SubmitSm { validity_period, ..pdu } }
        })
        .collect()
}
