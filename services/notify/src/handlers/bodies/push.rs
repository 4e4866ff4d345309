//! Bodies of push.

use common::models::UnixMillis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::push::{Keys, Subscription};
use crate::store::subscriptions::SubscriptionRow;

/// Where a device is reached. No `Debug`: it is a secret.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum SubscriptionBody {
    /// At a push service.
    Push(PushSubscription),
    /// Through a receiver of webhooks.
    Webhook(WebhookDevice),
}

/// The PushSubscription of a browser, as its `toJSON()` gives it (W3C Push API §8).
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PushSubscription {
    /// Where its push service takes messages.
    #[schema(max_length = 2048)]
    endpoint: String,
    /// The keys of the device.
    keys: KeysBody,
}

/// A device that a receiver of webhooks has a way of its own to, such as APNs or FCM.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookDevice {
    /// The receiver's name in the settings; it has the event `notification`.
    webhook: String,
    /// What it knows the device by.
    #[schema(min_length = 1, max_length = 4096)]
    device: String,
}

/// The keys of a device, in base64url.
#[derive(Deserialize, ToSchema)]
pub(crate) struct KeysBody {
    /// Its public key: a point of P-256, uncompressed.
    p256dh: String,
    /// Its secret of 16 bytes.
    auth: String,
}

impl From<SubscriptionBody> for Subscription {
    fn from(body: SubscriptionBody) -> Self {
        match body {
            SubscriptionBody::Push(PushSubscription { endpoint, keys: KeysBody { p256dh, auth } }) => {
                Self::Push { endpoint, keys: Keys { p256dh, auth } }
            }
            SubscriptionBody::Webhook(WebhookDevice { webhook, device }) => Self::Webhook { webhook, device },
        }
    }
}

/// The public key of the server.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VapidAnswer {
    /// A point of P-256, uncompressed, in base64url.
    pub(crate) public_key: String,
}

/// What is told of a subscription.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubscriptionView {
    /// The channel of whose notifications the device is told.
    channel: String,
    /// When it was registered last.
    created_at: UnixMillis,
    /// Until when it is kept unless it is registered again.
    expires_at: UnixMillis,
    /// When the device was pushed to last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pushed_at: Option<UnixMillis>,
}

impl SubscriptionView {
    pub(crate) fn new(row: SubscriptionRow) -> Self {
        let SubscriptionRow { channel, created_at, expires_at, pushed_at, .. } = row;
        Self { channel, created_at, expires_at, pushed_at }
    }
}
