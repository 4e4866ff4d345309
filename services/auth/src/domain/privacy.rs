//! What there is of one account in the tables of this service, for operators who answer its owner.

use service::operators::AuditTable;
use service::privacy::Column::{Octets, Plain, Size};
use service::privacy::{AccountData, Column, Held, Kept};

use crate::app::State;

const ACCOUNTS: &[Column] = &[
    Plain("account_id"),
    Plain("username"),
    Plain("email"),
    Plain("phone"),
    Plain("created_at"),
    Plain("email_verified_at"),
    Plain("phone_verified_at"),
];
const SESSIONS: &[Column] = &[
    Plain("session_id"),
    Plain("device_id"),
    Plain("bound_at"),
    Plain("created_at"),
    Plain("expires_at"),
    Plain("seen_at"),
];
const REFRESH_TOKENS: &[Column] = &[Plain("session_id"), Plain("used_at")];
const BLOCKED: &[Column] = &[Plain("reason"), Plain("blocked_at")];
const LINK_TOKENS: &[Column] = &[Plain("session_id"), Plain("expires_at"), Plain("linked_session_id")];
const CHALLENGES: &[Column] = &[Plain("expires_at")];
const TOTP: &[Column] = &[Plain("confirmed_at")];
const MAILS: &[Column] =
    &[Plain("recipient"), Plain("purpose"), Plain("attempts"), Plain("due_at"), Plain("created_at")];
const MAIL_TOKENS: &[Column] = &[Plain("purpose"), Plain("email"), Plain("expires_at")];
const WOOSH_ACCOUNTS: &[Column] =
    &[Plain("woosh_id"), Octets("public_key"), Octets("info"), Size("private_key")];
const SIGNAL_SERVER_ACCOUNTS: &[Column] = &[Plain("user_id"), Plain("email")];
const SIGNAL_SERVER_SESSIONS: &[Column] = &[Plain("session_id")];
const DELETED_ACCOUNTS: &[Column] = &[Plain("deleted_at"), Plain("deleted_by")];
const REVOCATIONS: &[Column] = &[Plain("session_id"), Plain("until")];

impl AccountData for State {
    fn log(&self) -> Option<AuditTable> {
        Some(AuditTable::ADMIN)
    }

    fn tables(&self) -> Vec<Held> {
        let settings = &self.settings;
        vec![
            Held::goes("accounts", "account_id").shows(ACCOUNTS),
            Held::goes("sessions", "account_id").shows(SESSIONS),
            Held::goes("refresh_tokens", "account_id").shows(REFRESH_TOKENS),
            Held::goes("blocked_accounts", "account_id").shows(BLOCKED),
            Held::goes("link_tokens", "account_id").shows(LINK_TOKENS),
            Held::goes("challenges", "account_id").shows(CHALLENGES),
            Held::goes("totp", "account_id").shows(TOTP),
            Held::goes("recovery_codes", "account_id"),
            Held::goes("mails", "account_id").shows(MAILS),
            Held::goes("mail_tokens", "account_id").shows(MAIL_TOKENS),
            Held::goes("woosh_accounts", "account_id").shows(WOOSH_ACCOUNTS),
            Held::goes("signal_server_accounts", "account_id").shows(SIGNAL_SERVER_ACCOUNTS),
            Held::goes("signal_server_sessions", "account_id").shows(SIGNAL_SERVER_SESSIONS),
            Held::stays(
                "deleted_accounts",
                "account_id",
                "that it was deleted, when and by whom",
                Kept::Since("deleted_at", settings.tombstone_ttl),
            )
            .shows(DELETED_ACCOUNTS),
            Held::stays(
                "revocations",
                "account_id",
                "that its sessions ended, while an access token could still be shown",
                Kept::Until("until"),
            )
            .shows(REVOCATIONS),
            Held::among(
                "phone_verifications",
                "a number that is being verified and is no account's yet",
                Kept::AtMost(settings.phone.session_ttl),
            ),
            Held::among(
                "attempts",
                "how many codes its number got, under a keyed hash",
                Kept::AtMost(settings.phone.per_number.refill * settings.phone.per_number.size),
            ),
            Held::audited(),
            Held::published(),
        ]
    }
}
