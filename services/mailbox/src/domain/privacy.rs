//! What there is of one account in the tables of this service, for operators who answer its owner.

use service::Retention;
use service::operators::AuditTable;
use service::privacy::Column::{Message, MessageText, Plain};
use service::privacy::{AccountData, Column, Held, Kept};

use crate::app::State;

const MAILBOXES: &[Column] = &[
    Plain("device_id"),
    Plain("generation"),
    Plain("registration_id"),
    Plain("envelope_count"),
    Plain("byte_count"),
    Plain("opened_at"),
];
const ENVELOPES: &[Column] = &[
    Plain("guid"),
    Plain("device_id"),
    Plain("seq"),
    Plain("kind"),
    Plain("source_account"),
    Plain("source_device"),
    Plain("client_timestamp"),
    Plain("server_timestamp"),
    Plain("content_bytes"),
    Plain("expires_at"),
    Message("content"),
];
const TICKETS: &[Column] = &[Plain("device_id"), Plain("session_id"), Plain("expires_at")];
const BLOCKS: &[Column] = &[Plain("blocked_account"), Plain("created_at")];
const IDEMPOTENCY_KEYS: &[Column] = &[Plain("device_id"), Plain("idempotency_key"), Plain("created_at")];
const WOOSH_INBOXES: &[Column] = &[Plain("message_count"), Plain("byte_count")];
const WOOSH_MESSAGES: &[Column] = &[
    Plain("message_id"),
    Plain("from_account"),
    Plain("content_bytes"),
    Plain("sent_at"),
    Message("contents"),
];
const SIGNAL_SERVER_DEVICES: &[Column] = &[
    Plain("generation"),
    Plain("registration_id"),
    Plain("address"),
    Plain("message_count"),
    Plain("byte_count"),
    Plain("opened_at"),
];
const SIGNAL_SERVER_MESSAGES: &[Column] = &[
    Plain("message_id"),
    Plain("sender_registration_id"),
    Plain("sender_address"),
    Plain("content_bytes"),
    Plain("sent_at"),
    MessageText("content"),
];
const DELETED_ACCOUNTS: &[Column] = &[Plain("deleted_at")];
const CLOSED_GENERATIONS: &[Column] = &[Plain("device_id"), Plain("generation"), Plain("closed_at")];
const SIGNAL_SERVER_CLOSED: &[Column] = &[Plain("generation"), Plain("closed_at")];

const LIFE: &str = "that a device of it ended, so that nothing late opens it again";
const TO_OTHERS: &str = "what it has sent to others who have not fetched it yet, which is theirs";

impl AccountData for State {
    fn log(&self) -> Option<AuditTable> {
        Some(AuditTable::ADMIN)
    }

    fn tables(&self) -> Vec<Held> {
        let (remembered, ttl) = (Retention::of(self.settings.tombstone_ttl), self.settings.ttl);
        vec![
            Held::goes("mailboxes", "account_id").shows(MAILBOXES),
            Held::goes("envelopes", "account_id").shows(ENVELOPES).paged(&["device_id", "seq"]),
            Held::goes("tickets", "account_id").shows(TICKETS),
            Held::goes("blocks", "account_id").shows(BLOCKS),
            Held::goes("idempotency_keys", "account_id").shows(IDEMPOTENCY_KEYS),
            Held::goes("woosh_inboxes", "account_id").shows(WOOSH_INBOXES),
            Held::goes("woosh_messages", "account_id").shows(WOOSH_MESSAGES).paged(&["message_id"]),
            Held::goes("signal_server_devices", "account_id").shows(SIGNAL_SERVER_DEVICES),
            Held::goes("signal_server_messages", "account_id")
                .shows(SIGNAL_SERVER_MESSAGES)
                .paged(&["message_id"]),
            Held::stays(
                "deleted_accounts",
                "account_id",
                "that it was deleted, so that nothing late opens it again",
                Kept::Since("deleted_at", remembered),
            )
            .shows(DELETED_ACCOUNTS),
            Held::stays("closed_generations", "account_id", LIFE, Kept::Since("closed_at", remembered))
                .shows(CLOSED_GENERATIONS),
            Held::stays("signal_server_closed", "account_id", LIFE, Kept::Since("closed_at", remembered))
                .shows(SIGNAL_SERVER_CLOSED),
            Held::among("envelopes", TO_OTHERS, Kept::AtMost(ttl)),
            Held::among("woosh_messages", TO_OTHERS, Kept::AtMost(ttl)),
            Held::among("signal_server_messages", TO_OTHERS, Kept::AtMost(ttl)),
            Held::among("blocks", "that others block its id, until they do not any more", Kept::ForOthers),
            Held::audited(),
            Held::published(),
        ]
    }
}
