//! Push: reaching devices that are not connected, through the push services that they name (RFC 8030, RFC 8291,
//! RFC 8292), or through a webhook, whose receiver has a way of its own to them (APNs, FCM).
//!
//! What must hold: what is to be pushed is a row before the publisher is answered, and stays one until the push service
//! has taken it over or its time has passed; no request goes to an address that the operator has not allowed; no push
//! service reads what is sent; endpoints, keys and contents are in no log.

mod address;
mod encryption;
mod lookout;
pub(crate) mod policy;
mod sender;
mod subscribing;
mod told;
mod vapid;
mod wish;
pub(crate) mod worker;

use std::sync::Arc;

use common::crypto::data_key::DataKey;
use tokio::sync::Notify;

use crate::settings::PushSettings;
pub(crate) use lookout::{Lookout, Online};
use policy::EndpointFault;
use sender::Sender;
pub(crate) use subscribing::{By, Holder, Keys, Subscription, find, subscribe, unsubscribe};
use vapid::{InvalidVapidKey, VapidKey};
pub(crate) use wish::{Carry, Wish};

/// Why push cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PushFault {
    /// The key of the settings is none.
    #[error("notify.push.vapid_key: {0}")]
    Key(#[from] InvalidVapidKey),
    /// TLS cannot be set up.
    #[error("no client for push services: {0}")]
    Client(#[from] reqwest::Error),
}

/// Why a subscription is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SubscriptionFault {
    /// Its endpoint may not be called.
    #[error(transparent)]
    Endpoint(#[from] EndpointFault),
    /// Nothing can be encrypted for its keys.
    #[error(transparent)]
    Keys(#[from] encryption::EncryptionFault),
    /// No receiver of this name tells devices of this channel.
    #[error("no webhook of this name has the event \"notification\" and this channel (notify.webhooks)")]
    Webhook,
    /// What the receiver is to know the device by.
    #[error("a device is known to a webhook by 1 to 4096 bytes")]
    Device,
}

/// What pushing takes. Clones share it.
#[derive(Clone)]
pub(crate) struct Push {
    vapid: Arc<VapidKey>,
    /// What subscriptions are sealed under.
    data_key: DataKey,
    sender: Sender,
    pub(crate) lookout: Lookout,
    /// There may be something to push.
    wanted: Arc<Notify>,
}

impl Push {
    /// Sets push up; none when there is no key for it.
    ///
    /// # Errors
    /// [`PushFault`].
    pub(crate) fn new(settings: &PushSettings) -> Result<Option<Self>, PushFault> {
        if !settings.is_on() {
            return Ok(None);
        }
        let vapid = VapidKey::from_text(&settings.vapid_key)?;
        Ok(Some(Self {
            vapid: Arc::new(vapid),
            data_key: DataKey::from_text(settings.vapid_key.expose()).map_err(|_| InvalidVapidKey)?,
            sender: Sender::new(settings)?,
            lookout: Lookout::new(),
            wanted: Arc::new(Notify::new()),
        }))
    }

    /// Gives the public key, as browsers take it.
    pub(crate) fn public_key(&self) -> &str {
        self.vapid.public()
    }
}
