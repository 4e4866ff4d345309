//! What identifies users and sessions here.

use std::fmt;
use std::str::FromStr;

use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::sql_types::Text;
use uuid::Uuid;

/// An index of PostgreSQL takes this and a session's id, with much room left.
const MOST: usize = 255;

const DIGITS: usize = 32;

/// Text that identifies nobody and nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id")]
pub(crate) struct InvalidId;

/// Maps a newtype over text to a column, for both databases.
macro_rules! text_column {
    ($name:ident) => {
        impl<DB> diesel::serialize::ToSql<Text, DB> for $name
        where
            DB: diesel::backend::Backend,
            str: diesel::serialize::ToSql<Text, DB>,
        {
            fn to_sql<'b>(
                &'b self,
                out: &mut diesel::serialize::Output<'b, '_, DB>,
            ) -> diesel::serialize::Result {
                self.as_str().to_sql(out)
            }
        }

        impl<DB> diesel::deserialize::FromSql<Text, DB> for $name
        where
            DB: diesel::backend::Backend,
            String: diesel::deserialize::FromSql<Text, DB>,
        {
            fn from_sql(raw: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
                Ok(String::from_sql(raw)?.parse()?)
            }
        }
    };
}

pub(crate) use text_column;

/// A user, as the one who keeps the accounts calls them: an opaque text of 1 to 255 bytes without control characters,
/// which can be a segment of a path (RFC 3986 §3.3), so neither `.` nor `..`.
#[derive(Clone, PartialEq, Eq, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub(crate) struct UserId(String);

impl UserId {
    /// Borrows the text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let fits = (1..=MOST).contains(&text.len()) && !text.contains(char::is_control);
        if fits && !matches!(text, "." | "..") { Ok(Self(text.to_owned())) } else { Err(InvalidId) }
    }
}

impl fmt::Debug for UserId {
    /// The id of somebody else's user may be a name or a number, so it is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserId(..)")
    }
}

text_column!(UserId);

/// The id of a session, or the one in its URL for the time being: a random UUID, as 32 lower-case hex digits. Whoever
/// knows it may use it.
#[derive(Clone, PartialEq, Eq, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub(crate) struct SyncId(String);

impl SyncId {
    /// Makes a fresh one.
    pub(crate) fn new() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }

    /// Borrows the digits.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SyncId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let digit = |octet: u8| matches!(octet, b'0'..=b'9' | b'a'..=b'f');
        let fits = text.len() == DIGITS && text.bytes().all(digit);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidId) }
    }
}

impl fmt::Debug for SyncId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SyncId(..)")
    }
}

text_column!(SyncId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_named_by_32_hex_digits_in_lower_case() {
        let id = SyncId::new();

        assert_eq!(id.as_str().parse::<SyncId>(), Ok(id.clone()));
        assert_ne!(id, SyncId::new());
        for text in
            ["", "x", &id.as_str()[1..], &id.as_str().to_uppercase().replace('0', "A"), "../../etc/passwd"]
        {
            assert_eq!(text.parse::<SyncId>(), Err(InvalidId), "{text}");
        }
    }

    #[test]
    fn a_user_is_any_short_text_without_control_characters() {
        for text in ["dead3662-5f78-11ed-b8e7-6d06c3aaf3c6", "x", "...", "é ü", &"x".repeat(255)] {
            assert_eq!(text.parse::<UserId>().unwrap().as_str(), text);
        }
        for text in ["", ".", "..", "a\nb", "a\0", &"x".repeat(256)] {
            assert_eq!(text.parse::<UserId>(), Err(InvalidId), "{text:?}");
        }
        assert_eq!(
            format!("{:?} {:?}", "alice".parse::<UserId>(), SyncId::new()),
            "Ok(UserId(..)) SyncId(..)"
        );
    }
}
