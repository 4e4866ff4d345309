//! What there is of one account in the tables of this service, for operators who answer its owner.

use common::models::AccountId;
use service::privacy::Column::{Plain, Text};
use service::privacy::{AccountData, Column, Held, Kept};

use super::ChannelName;
use crate::app::State;

const CHANNELS: &[Column] = &[Plain("epoch"), Plain("next_offset"), Plain("published_at")];
const NOTIFICATIONS: &[Column] = &[
    Plain("channel_offset"),
    Plain("notification_id"),
    Text("data"),
    Plain("published_at"),
    Plain("expires_at"),
];
const IDEMPOTENCY_KEYS: &[Column] =
    &[Plain("publisher"), Plain("idempotency_key"), Plain("notification_id"), Plain("created_at")];
const TOKENS: &[Column] = &[
    Plain("token_id"),
    Plain("label"),
    Plain("member"),
    Plain("issued_by"),
    Plain("created_at"),
    Plain("expires_at"),
    Plain("used_at"),
];
const PUSH_SUBSCRIPTIONS: &[Column] =
    &[Plain("holder"), Plain("created_at"), Plain("expires_at"), Plain("seen_at"), Plain("pushed_at")];
const PUSH_PRESENCES: &[Column] = &[Plain("holder"), Plain("expires_at")];
const PUSHES: &[Column] = &[
    Plain("holder"),
    Plain("slot"),
    Plain("channel_offset"),
    Plain("urgency"),
    Plain("topic"),
    Plain("published_at"),
    Plain("expires_at"),
    Plain("attempts"),
];
const PRESENCES: &[Column] = &[Plain("member"), Plain("connections"), Plain("since"), Plain("expires_at")];

impl AccountData for State {
    fn tables(&self) -> Vec<Held> {
        let (lease, told) = (self.settings.presence_lease, self.settings.webhook_delivery.max_age * 2);
        vec![
            Held::goes("channels", "channel").shows(CHANNELS),
            Held::goes("notifications", "channel").shows(NOTIFICATIONS).paged(&["channel_offset"]),
            Held::goes("idempotency_keys", "channel").shows(IDEMPOTENCY_KEYS),
            Held::goes("tokens", "channel").shows(TOKENS),
            Held::goes("push_subscriptions", "channel").shows(PUSH_SUBSCRIPTIONS),
            Held::goes("push_presences", "channel").shows(PUSH_PRESENCES),
            Held::goes("pushes", "channel").shows(PUSHES),
            Held::stays(
                "presences",
                "channel",
                "that it is connected, until its process has noticed that it is not",
                Kept::Until("expires_at"),
            )
            .shows(PRESENCES),
            Held::among("connections", "the same, where a webhook is told of it", Kept::AtMost(lease)),
            Held::among("webhook_queues", "what a receiver is still to be told", Kept::AtMost(told)),
            Held::among("webhook_events", "what a receiver is still to be told", Kept::AtMost(told)),
        ]
    }

    fn name_of(&self, account: AccountId) -> String {
        ChannelName::of_account(account).as_str().to_owned()
    }
}
