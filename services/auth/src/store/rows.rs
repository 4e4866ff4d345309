//! Rows as they are stored.

use common::crypto::token::HashedToken;
use common::models::{AccountId, DeviceId, InviteId, MailId, SessionId, UnixMillis, VerificationId};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Text;

use super::schema::{
    accounts, challenges, invites, link_tokens, mail_tokens, mails, phone_verifications, refresh_tokens,
    revocations, sessions, totp,
};

/// An account.
#[derive(Clone, Insertable, Queryable)]
#[diesel(table_name = accounts)]
pub(crate) struct AccountRow {
    pub(crate) account_id: AccountId,
    pub(crate) username: String,
    pub(crate) password_hash: String,
    pub(crate) email: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) created_at: UnixMillis,
    pub(crate) email_verified_at: Option<UnixMillis>,
    pub(crate) phone_verified_at: Option<UnixMillis>,
}

/// A login session: one family of refresh tokens.
#[derive(Insertable, Queryable)]
#[diesel(table_name = sessions)]
pub(crate) struct SessionRow {
    pub(crate) account_id: AccountId,
    pub(crate) session_id: SessionId,
    pub(crate) device_id: Option<DeviceId>,
    pub(crate) bound_at: Option<UnixMillis>,
    pub(crate) created_at: UnixMillis,
    pub(crate) expires_at: UnixMillis,
    /// The day on which tokens were last asked for.
    pub(crate) seen_at: UnixMillis,
}

/// A refresh token, by its hash.
#[derive(Insertable, Queryable)]
#[diesel(table_name = refresh_tokens)]
pub(crate) struct RefreshTokenRow {
    pub(crate) account_id: AccountId,
    pub(crate) token_hash: HashedToken,
    pub(crate) session_id: SessionId,
    pub(crate) used_at: Option<UnixMillis>,
}

/// What lets another device of the account in, by its hash.
#[derive(Insertable, Queryable)]
#[diesel(table_name = link_tokens)]
pub(crate) struct LinkTokenRow {
    pub(crate) account_id: AccountId,
    pub(crate) token_hash: HashedToken,
    /// The session that asked for it.
    pub(crate) session_id: SessionId,
    /// Until when it can be used; once it was, until when that is remembered.
    pub(crate) expires_at: UnixMillis,
    /// The session that it has opened.
    pub(crate) linked_session_id: Option<SessionId>,
    /// What shows that the same device asks again.
    pub(crate) retry_hash: Option<HashedToken>,
}

/// A session that ended before its access tokens did.
#[derive(Insertable, Queryable)]
#[diesel(table_name = revocations)]
pub(crate) struct RevocationRow {
    pub(crate) account_id: AccountId,
    pub(crate) session_id: SessionId,
    pub(crate) until: UnixMillis,
}

/// A code that lets somebody in.
#[derive(Insertable, Queryable)]
#[diesel(table_name = invites)]
pub(crate) struct InviteRow {
    pub(crate) invite_id: InviteId,
    pub(crate) code_hash: HashedToken,
    pub(crate) uses_left: i32,
    pub(crate) created_at: UnixMillis,
    pub(crate) expires_at: UnixMillis,
}

/// A second factor; it counts once it is confirmed.
#[derive(Insertable, Queryable)]
#[diesel(table_name = totp)]
pub(crate) struct TotpRow {
    pub(crate) account_id: AccountId,
    /// Sealed under the data key.
    pub(crate) secret: Vec<u8>,
    pub(crate) confirmed_at: Option<UnixMillis>,
    pub(crate) last_step: i64,
}

/// A login whose password was right, and which waits for the second factor.
#[derive(Insertable, Queryable)]
#[diesel(table_name = challenges)]
pub(crate) struct ChallengeRow {
    pub(crate) account_id: AccountId,
    pub(crate) token_hash: HashedToken,
    pub(crate) expires_at: UnixMillis,
}

/// Defines an enum that a table has as a word.
macro_rules! word_type {
    ($(#[$doc:meta])* $name:ident { $( $(#[$variant_doc:meta])* $variant:ident = $word:literal, )+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, AsExpression, FromSqlRow)]
        #[diesel(sql_type = Text)]
        pub(crate) enum $name {
            $( $(#[$variant_doc])* $variant, )+
        }

        impl $name {
            /// Gives the word for it in tables, links and logs.
            pub(crate) fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word {
                    $( $word => Ok(Self::$variant), )+
                    _ => Err(UnknownWord),
                }
            }
        }

        impl<DB: Backend> ToSql<Text, DB> for $name
        where
            str: ToSql<Text, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                self.as_str().to_sql(out)
            }
        }

        impl<DB: Backend> FromSql<Text, DB> for $name
        where
            String: FromSql<Text, DB>,
        {
            fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
                Ok(String::from_sql(bytes)?.parse()?)
            }
        }
    };
}

/// A word in a table that has no meaning there.
#[derive(Debug, thiserror::Error)]
#[error("a word that is not known here")]
pub(crate) struct UnknownWord;

word_type!(
    /// Who had an account deleted.
    DeletedBy {
        /// Its owner, by showing the password.
        Owner = "owner",
        /// An operator.
        Operator = "operator",
    }
);

word_type!(
    /// What a mail is for.
    Purpose {
        /// Its reader confirms the address.
        VerifyEmail = "verify-email",
        /// Its reader chooses a new password.
        ResetPassword = "reset-password",
        /// Its reader chooses a new password for an account of signal_server.
        ResetSignalServer = "reset-signal-server",
    }
);

word_type!(
    /// What became of the newest SMS of a verification.
    Delivery {
        /// There was none.
        None = "none",
        /// It is on its way to the gateway, or in it.
        Queued = "queued",
        /// The SMSC has it.
        Sent = "sent",
        /// The phone has it.
        Delivered = "delivered",
        /// It will not arrive.
        Failed = "failed",
    }
);

/// A mail to be sent.
#[derive(Insertable, Queryable)]
#[diesel(table_name = mails)]
pub(crate) struct MailRow {
    pub(crate) mail_id: MailId,
    /// None when the account is to be found by the recipient.
    pub(crate) account_id: Option<AccountId>,
    pub(crate) recipient: String,
    pub(crate) purpose: Purpose,
    pub(crate) attempts: i32,
    pub(crate) due_at: UnixMillis,
    pub(crate) created_at: UnixMillis,
}

/// What was sent by mail and lets its reader do something once.
#[derive(Insertable, Queryable)]
#[diesel(table_name = mail_tokens)]
pub(crate) struct MailTokenRow {
    pub(crate) account_id: AccountId,
    pub(crate) token_hash: HashedToken,
    pub(crate) purpose: Purpose,
    pub(crate) email: String,
    pub(crate) expires_at: UnixMillis,
}

/// Somebody shows that a phone is theirs.
#[derive(AsChangeset, Clone, Insertable, Queryable)]
#[diesel(table_name = phone_verifications, primary_key(verification_id), treat_none_as_null = true)]
pub(crate) struct PhoneVerificationRow {
    pub(crate) verification_id: VerificationId,
    pub(crate) phone: String,
    pub(crate) correl_id: Option<String>,
    pub(crate) code_mac: Option<HashedToken>,
    pub(crate) code_expires_at: UnixMillis,
    pub(crate) sends: i32,
    pub(crate) checks: i32,
    pub(crate) next_send_at: UnixMillis,
    pub(crate) next_check_at: UnixMillis,
    pub(crate) delivery: Delivery,
    pub(crate) verified_at: Option<UnixMillis>,
    pub(crate) expires_at: UnixMillis,
}
