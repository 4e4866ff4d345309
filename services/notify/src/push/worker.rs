//! Pushes what is due, from the table `pushes`: several at once, no transaction open while a push service is spoken to.
//!
//! A crash between the answer of a push service and the row's end sends a push twice at worst, which wakes a device once
//! more. What cannot be sent is tried again, ever less often, or when the push service says, until its time has passed.

use std::time::Duration;

use common::models::UnixMillis;
use db::{Backend, DbError};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use webhook::Backoff;

use super::Push;
use super::encryption::{EncryptionFault, MAX_PLAINTEXT, Recipient};
use super::policy::Endpoint;
use super::sender::{Message, Verdict};
use super::subscribing::{Reached, Subscription};
use super::told;
use crate::app::State;
use crate::domain::{ChannelName, NotifyError};
use crate::store::history::{self, PageRequest};
use crate::store::pushes::{self, PushRow};
use crate::store::subscriptions::{self, Device, SubscriptionRow};

/// How often the table is looked at when nobody calls.
const PERIOD: Duration = Duration::from_millis(500);

/// Pushes what is due until `cancel`.
pub(crate) async fn run(state: State, push: Push, cancel: CancellationToken) {
    // A file of SQLite has one process: what the one before had to itself when it was killed is free.
    if state.db.backend() == Backend::Sqlite {
        let soon = state.clock.now() + state.settings.push.delay;
        if let Err(error) = state.db.write(move |conn| pushes::hasten(conn, soon)).await {
            tracing::warn!(%error, "what a killed process had claimed is pushed later");
        }
    }
    let mut timer = tokio::time::interval(PERIOD.min(state.settings.push.delay));
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = push.wanted.notified() => {}
            Some(_) = running.join_next() => {}
            _ = timer.tick() => {}
        }
        if let Err(error) = begin(&state, &push, &mut running).await {
            tracing::warn!(%error, "what is due could not be read; trying again");
        }
    }
}

/// Claims what there is room for, and begins with it.
async fn begin(state: &State, push: &Push, running: &mut JoinSet<()>) -> Result<(), NotifyError> {
    let room = state.settings.push.concurrent.saturating_sub(running.len());
    if room == 0 {
        return Ok(());
    }
    let now = state.clock.now();
    // Longer than a request takes. Clocks that differ by more cost a push that comes twice.
    let until = now + state.settings.push.timeout * 3;
    let limit = i64::try_from(room).unwrap_or(i64::MAX);
    for row in state.db.write(move |conn| pushes::claim(conn, now, until, limit)).await? {
        let (state, push) = (state.clone(), push.clone());
        running.spawn(async move {
            if let Err(error) = serve(&state, &push, row).await {
                tracing::warn!(%error, "a push could not be finished; it is looked at again");
            }
        });
    }
    Ok(())
}

/// What becomes of a push.
enum Fate {
    /// It is done with, for a reason that is counted.
    Done(&'static str),
    /// It was sent at this time.
    Sent(UnixMillis),
    /// Its device cannot be reached there any more.
    Gone(&'static str),
    /// It is looked at again then, as if for the first time.
    Wait(UnixMillis),
    /// It is tried again then.
    Retry(UnixMillis),
}

async fn serve(state: &State, push: &Push, row: PushRow) -> Result<(), NotifyError> {
    let (wanted, channel, holder) = (row.clone(), row.channel.clone(), row.holder.clone());
    let now = state.clock.now();
    let known = state.db.read(move |conn| {
        let found = subscriptions::find(conn, &channel, &holder, now)?;
        Ok::<_, DbError>((found, subscriptions::connected_until(conn, &channel, &holder)?))
    });
    let (Some(subscription), connected) = known.await? else {
        return finish(state, row, None, Fate::Done("gone")).await;
    };
    let fate = match is_needless(state, &wanted, &subscription, connected, now) {
        Some(fate) => fate,
        None => deliver(state, push, &wanted, &subscription).await?,
    };
    finish(state, row, Some(subscription), fate).await
}

/// Tells what else becomes of a push that need not be sent, or not yet.
fn is_needless(
    state: &State,
    row: &PushRow,
    subscription: &SubscriptionRow,
    connected: Option<UnixMillis>,
    now: UnixMillis,
) -> Option<Fate> {
    let settings = &state.settings;
    if row.expires_at <= now {
        return Some(Fate::Done("expired"));
    }
    if let Some(until) = connected.filter(|until| *until > now) {
        // A connection that was made later than the notification had it. Of one that was there before, it is known only
        // once it would have been given up if it had been dead already.
        let silence = settings.longest_silence();
        let proven = row.published_at + silence + settings.presence_lease;
        return Some(if subscription.seen_at > row.published_at || until > proven {
            Fate::Done("connected")
        } else {
            // The process may be killed meanwhile, too.
            Fate::Wait(until.min(now + silence / 6))
        });
    }
    let woken = subscription.pushed_at.filter(|at| *at > subscription.seen_at);
    let sleeps_on = woken.is_some_and(|at| at > now - settings.push.interval);
    (row.slot == 0 && sleeps_on).then_some(Fate::Done("collapsed"))
}

async fn deliver(
    state: &State,
    push: &Push,
    row: &PushRow,
    subscription: &SubscriptionRow,
) -> Result<Fate, NotifyError> {
    let device =
        Device { channel: ChannelName::parse(&row.channel, usize::MAX)?, holder: row.holder.clone() };
    let Some(target) = Subscription::open(push, subscription, &device) else {
        // The key is another one: so is that towards the push services, which would refuse it.
        return Ok(Fate::Gone("void"));
    };
    // What was allowed when it was registered may not be any more.
    let Ok(reached) = target.check(state, &device.channel) else { return Ok(Fate::Gone("forbidden")) };
    let data = if row.slot == 0 { None } else { data_of(state, &device.channel, row.channel_offset).await? };
    let now = state.clock.now();
    let verdict = match &reached {
        Reached::Push(endpoint, recipient) => {
            let whole = send(state, push, row, (endpoint, recipient), data.as_deref(), now).await?;
            match whole {
                Verdict::TooLarge if data.is_some() => {
                    send(state, push, row, (endpoint, recipient), None, now).await?
                }
                verdict => verdict,
            }
        }
        Reached::Webhook(target, name) => told::send(state, row, (target, name), data.as_deref()).await?,
    };
    Ok(match verdict {
        Verdict::Taken => Fate::Sent(now),
        Verdict::Gone => Fate::Gone("gone"),
        Verdict::TooLarge => Fate::Done("refused"),
        Verdict::Refused(status) => {
            tracing::warn!(status, "a push service refused a push");
            Fate::Done("refused")
        }
        Verdict::Later(pause) => {
            let settings = &state.settings.push;
            let backoff = Backoff { first: settings.first_pause, longest: settings.longest_pause };
            Fate::Retry(state.clock.now() + pause.unwrap_or_else(|| backoff.pause(row.attempts)))
        }
    })
}

/// What a device reads.
#[derive(Serialize)]
struct Note<'a> {
    channel: &'a str,
    offset: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

async fn send(
    state: &State,
    push: &Push,
    row: &PushRow,
    (endpoint, recipient): (&Endpoint, &Recipient),
    data: Option<&RawValue>,
    now: UnixMillis,
) -> Result<Verdict, NotifyError> {
    let settings = &state.settings.push;
    let authorization = push
        .vapid
        .authorization(&endpoint.url, &settings.subject, now)
        .map_err(|_| DbError::other("no random numbers"))?;
    let note = Note { channel: &row.channel, offset: row.channel_offset, data };
    let mut plain = serde_json::to_vec(&note).map_err(DbError::other)?;
    if plain.len() > MAX_PLAINTEXT {
        plain = serde_json::to_vec(&Note { data: None, ..note }).map_err(DbError::other)?;
    }
    let body = match recipient.encrypt(&plain) {
        Ok(body) => body,
        Err(EncryptionFault::TooLarge) => return Ok(Verdict::TooLarge),
        Err(error) => return Err(DbError::other(error).into()),
    };
    let life = row.expires_at.as_i64() - now.as_i64();
    let message = Message {
        authorization,
        ttl: Duration::from_millis(u64::try_from(life).unwrap_or(0)),
        urgency: &row.urgency,
        topic: row.topic.as_deref(),
        body,
    };
    Ok(push.sender.send(endpoint.clone(), message).await)
}

/// Reads what was published, if it is kept still.
async fn data_of(
    state: &State,
    channel: &ChannelName,
    offset: i64,
) -> Result<Option<Box<RawValue>>, NotifyError> {
    let (name, now) = (channel.clone(), state.clock.now());
    let request = PageRequest { after: offset - 1, now, limit: 1, bytes: 0 };
    let page = state.db.read(move |conn| history::page(conn, &name, request)).await?;
    let row = page.into_iter().find(|row| row.channel_offset == offset);
    Ok(row.and_then(|row| RawValue::from_string(String::from_utf8(row.data).ok()?).ok()))
}

async fn finish(
    state: &State,
    row: PushRow,
    subscription: Option<SubscriptionRow>,
    fate: Fate,
) -> Result<(), NotifyError> {
    let outcome = match &fate {
        Fate::Done(outcome) | Fate::Gone(outcome) => Some(*outcome),
        Fate::Sent(_) => Some("sent"),
        Fate::Retry(_) => Some("retried"),
        Fate::Wait(_) => None,
    };
    let soon = state.clock.now() + state.settings.push.delay;
    let finishing = state.db.write(move |conn| match fate {
        Fate::Done(_) => pushes::finish(conn, &row, soon),
        Fate::Sent(at) => {
            subscriptions::woken(conn, &row.channel, &row.holder, at)?;
            pushes::finish(conn, &row, soon)
        }
        Fate::Gone(_) => subscription.iter().try_for_each(|dead| subscriptions::remove_dead(conn, dead)),
        Fate::Wait(at) => pushes::postpone(conn, &row, row.attempts, at),
        Fate::Retry(at) => pushes::postpone(conn, &row, row.attempts + 1, at),
    });
    finishing.await?;
    if let Some(outcome) = outcome {
        state.metrics.pushes_total.with_label_values(&[outcome]).inc();
    }
    Ok(())
}
