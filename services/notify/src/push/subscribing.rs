//! Where a device is reached: it says so by what lets it into its channel, and it alone is told.

use common::models::{ChannelTokenId, SessionId, UnixMillis};
use db::DbError;
use serde::{Deserialize, Serialize};
use webhook::Target;

use super::encryption::Recipient;
use super::policy::Endpoint;
use super::{Push, SubscriptionFault};
use crate::app::State;
use crate::domain::{ChannelName, NotifyError, tokens};
use crate::store::subscriptions::{self, Device, SubscriptionRow};
use crate::store::tokens as tokens_store;

/// What the key is for under which subscriptions are sealed.
const SEALED: &str = "push subscription";

/// Longest name of a device to a receiver of webhooks, in bytes.
const LONGEST_DEVICE: usize = 4096;

/// A device by what lets it into a channel.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    pub(crate) channel: ChannelName,
    pub(crate) by: By,
    /// Until when that lets it in; none: until it is revoked.
    pub(crate) until: Option<UnixMillis>,
}

/// What lets a device in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// A token of its own.
    Token(ChannelTokenId),
    /// A session of the account whose channel it is.
    Session(SessionId),
}

impl Holder {
    /// Finds out whose token this is.
    ///
    /// # Errors
    /// [`NotifyError::TokenRefused`]; [`NotifyError::SharedToken`] for one that devices share; those of the database.
    pub(crate) async fn of(state: &State, token: &str) -> Result<Self, NotifyError> {
        if token.contains('.') {
            let caller = state.gate.check(token).map_err(|error| match error {
                web::GateError::Refused => NotifyError::TokenRefused,
                web::GateError::NotReady => NotifyError::Gate(error),
            })?;
            let channel = ChannelName::of_account(caller.account);
            return Ok(Self { channel, by: By::Session(caller.session), until: None });
        }
        let hash = tokens::hash(token).ok_or(NotifyError::TokenRefused)?;
        let row = state.registrar.resolve(hash).await?;
        if row.token_id == tokens::shared_id() {
            return Err(NotifyError::SharedToken);
        }
        let channel = ChannelName::parse(&row.channel, usize::MAX)?;
        Ok(Self { channel, by: By::Token(row.token_id), until: Some(row.expires_at) })
    }

    /// Gives the device, as it is written down.
    pub(crate) fn device(&self) -> Device {
        Device { channel: self.channel.clone(), holder: self.by.to_text() }
    }
}

impl By {
    /// Gives the text by which it is written down.
    pub(crate) fn to_text(self) -> String {
        match self {
            Self::Token(id) => format!("token:{id}"),
            Self::Session(id) => format!("session:{id}"),
        }
    }
}

/// The keys of a PushSubscription. No `Debug`: they are secret.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Keys {
    pub(crate) p256dh: String,
    pub(crate) auth: String,
}

/// Where a device is reached. No `Debug`: whoever has it can push to the device.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Subscription {
    /// At a push service.
    Push { endpoint: String, keys: Keys },
    /// Through a receiver of webhooks.
    Webhook {
        /// Its name in the settings.
        webhook: String,
        /// What it knows the device by, such as a token of APNs.
        device: String,
    },
}

/// A [`Subscription`] that can be pushed to.
pub(super) enum Reached {
    Push(Endpoint, Recipient),
    Webhook(Target, String),
}

impl Subscription {
    /// Checks that it can be pushed to.
    pub(super) fn check(&self, state: &State, channel: &ChannelName) -> Result<Reached, SubscriptionFault> {
        match self {
            Self::Push { endpoint, keys } => {
                let endpoint = Endpoint::parse(endpoint, &state.settings.push.endpoints)?;
                Ok(Reached::Push(endpoint, Recipient::parse(&keys.p256dh, &keys.auth)?))
            }
            Self::Webhook { device, .. } if !(1..=LONGEST_DEVICE).contains(&device.len()) => {
                Err(SubscriptionFault::Device)
            }
            Self::Webhook { webhook, device } => {
                let webhooks = state.webhooks.as_ref().ok_or(SubscriptionFault::Webhook)?;
                let target = webhooks.way_to_devices(webhook, channel).ok_or(SubscriptionFault::Webhook)?;
                Ok(Reached::Webhook(target, device.clone()))
            }
        }
    }

    fn seal(&self, push: &Push, device: &Device) -> Result<Vec<u8>, NotifyError> {
        let plain = serde_json::to_vec(self).map_err(DbError::other)?;
        push.data_key.seal(SEALED, &owner(device), &plain).map_err(|error| DbError::other(error).into())
    }

    /// Opens what was stored; none when it was sealed under another key.
    pub(super) fn open(push: &Push, row: &SubscriptionRow, device: &Device) -> Option<Self> {
        let plain = push.data_key.open(SEALED, &owner(device), &row.sealed).ok()?;
        serde_json::from_slice(&plain).ok()
    }
}

fn owner(device: &Device) -> Vec<u8> {
    // No holder has NUL in it.
    [device.holder.as_bytes(), b"\0", device.channel.as_str().as_bytes()].concat()
}

/// Notes where a device is reached, in place of what it said before.
///
/// # Errors
/// [`NotifyError::Subscription`], [`NotifyError::TokenRefused`], [`NotifyError::TooManySubscriptions`], those of the
/// database.
pub(crate) async fn subscribe(
    state: &State,
    push: &Push,
    holder: &Holder,
    subscription: Subscription,
) -> Result<SubscriptionRow, NotifyError> {
    subscription.check(state, &holder.channel)?;
    let (device, now) = (holder.device(), state.clock.now());
    let most = now + state.settings.push.subscription_ttl;
    let row = SubscriptionRow {
        channel: device.channel.as_str().to_owned(),
        holder: device.holder.clone(),
        token_id: match holder.by {
            By::Token(id) => Some(id),
            By::Session(_) => None,
        },
        sealed: subscription.seal(push, &device)?,
        created_at: now,
        expires_at: holder.until.map_or(most, |until| until.min(most)),
        seen_at: now,
        pushed_at: None,
    };
    let (stored, limit, by) = (row.clone(), state.settings.push.max_subscriptions, holder.by);
    let channel = device.channel.clone();
    let storing = state.db.write(move |conn| {
        // It may have been revoked since it was looked at.
        if let By::Token(id) = by
            && !tokens_store::hold(conn, channel.as_str(), id)?
        {
            return Err(NotifyError::TokenRefused);
        }
        // Two that come at once may both be the last that has room: a bound for tables, no promise.
        if subscriptions::count_others(conn, &channel, &stored.holder)? >= i64::from(limit) {
            return Err(NotifyError::TooManySubscriptions { limit });
        }
        Ok(subscriptions::put(conn, &stored)?)
    });
    storing.await?;
    push.lookout.touch(&device);
    Ok(row)
}

/// Finds the subscription of a device.
///
/// # Errors
/// [`NotifyError::NoSubscription`], those of the database.
pub(crate) async fn find(state: &State, holder: &Holder) -> Result<SubscriptionRow, NotifyError> {
    let (device, now) = (holder.device(), state.clock.now());
    let found = state
        .db
        .read(move |conn| subscriptions::find(conn, device.channel.as_str(), &device.holder, now))
        .await?;
    found.ok_or(NotifyError::NoSubscription)
}

/// Forgets where a device is reached, and what was to be pushed to it.
///
/// # Errors
/// [`NotifyError::NoSubscription`], those of the database.
pub(crate) async fn unsubscribe(state: &State, holder: &Holder) -> Result<(), NotifyError> {
    let device = holder.device();
    let removing =
        state.db.write(move |conn| subscriptions::remove(conn, device.channel.as_str(), &device.holder));
    if removing.await? { Ok(()) } else { Err(NotifyError::NoSubscription) }
}
