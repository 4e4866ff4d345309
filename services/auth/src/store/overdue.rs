//! What time removes, by the column that tells when.

use service::Overdue;

/// Rows that are of no use once the time in them has passed.
pub(crate) const EXPIRED: [Overdue; 7] = [
    Overdue { table: "revocations", key: "account_id, session_id", at: "until" },
    Overdue { table: "invites", key: "invite_id", at: "expires_at" },
    Overdue { table: "link_tokens", key: "account_id, token_hash", at: "expires_at" },
    Overdue { table: "challenges", key: "account_id, token_hash", at: "expires_at" },
    Overdue { table: "mail_tokens", key: "account_id, token_hash", at: "expires_at" },
    Overdue { table: "phone_verifications", key: "verification_id", at: "expires_at" },
    // A bucket that is full again is as good as none.
    Overdue { table: "attempts", key: "subject", at: "full_at" },
];

/// Refresh tokens that were used: they give a theft away when they come again.
pub(crate) const USED_TOKENS: Overdue =
    Overdue { table: "refresh_tokens", key: "account_id, token_hash", at: "used_at" };

/// Mails that could not be sent, or that nobody sends any more.
pub(crate) const MAILS: Overdue = Overdue { table: "mails", key: "mail_id", at: "created_at" };

/// What is left of deleted accounts.
pub(crate) const TOMBSTONES: Overdue =
    Overdue { table: "deleted_accounts", key: "account_id", at: "deleted_at" };
