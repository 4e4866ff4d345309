//! What an SMS that came in is known by.

use std::fmt;
use std::str::FromStr;

use common::crypto::DataKey;
use common::models::E164;
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Text;

/// What the keyed hash is for.
const PURPOSE: &str = "relay: id of an incoming sms";

/// A keyed hash of text and sender, in 64 hexadecimal digits: the same SMS has the same one. Whoever has no key cannot
/// tell from it what the SMS says or whose it is, nor try out what it could be.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub(crate) struct MessageId(String);

/// Text that is no such id.
#[derive(Debug, thiserror::Error)]
#[error("not the id of an incoming SMS")]
pub(crate) struct InvalidMessageId;

impl MessageId {
    pub(crate) fn of(key: &DataKey, sender: &E164, text: &str) -> Self {
        let hash = key.mac(PURPOSE, &[sender.as_str().as_bytes(), text.as_bytes()]);
        Self(hash.iter().map(|octet| format!("{octet:02x}")).collect())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MessageId {
    type Err = InvalidMessageId;

    fn from_str(text: &str) -> Result<Self, InvalidMessageId> {
        let fits = text.len() == 64 && text.bytes().all(|octet| octet.is_ascii_hexdigit());
        fits.then(|| Self(text.to_owned())).ok_or(InvalidMessageId)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({})", self.0)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<DB: Backend> ToSql<Text, DB> for MessageId
where
    str: ToSql<Text, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.as_str().to_sql(out)
    }
}

impl<DB: Backend> FromSql<Text, DB> for MessageId
where
    String: FromSql<Text, DB>,
{
    fn from_sql(raw: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(String::from_sql(raw)?.parse()?)
    }
}
