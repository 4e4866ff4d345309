//! SMS records: what `send-sms`, `sms-status` and `sms-inbound` carry, with the tolerance that their contract asks for.
//!
//! In: bytes of a record from any producer. Out: a [`SmsRequest`] whose ids are known, on which every further fault can
//! be reported as a status; or a [`RequestError`], for which there is no one to tell.

mod deadline;
mod inbound;
mod request;
mod scan;
mod status;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

pub use deadline::{InvalidDeadline, parse_deadline, parse_timestamp};
pub use inbound::{InboundKeyword, SmsInbound};
pub use request::{AcceptedSms, Refusal, RequestError, SmsClass, SmsRequest};
pub use status::{SmsState, SmsStatus, UnknownState};

/// Text that nobody looks into. It goes along with every step of an SMS, so that copies share it.
macro_rules! opaque_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(
            feature = "diesel",
            derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow),
            diesel(sql_type = diesel::sql_types::Text)
        )]
        #[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema), schema(value_type = String))]
        pub struct $name(Arc<str>);

        impl $name {
            /// Borrows the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Tells whether tables and logs can hold it: at most 1024 bytes, no NUL.
            pub fn is_storable(&self) -> bool {
                self.0.len() <= 1024 && !self.0.contains('\0')
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl std::str::FromStr for $name {
            type Err = Infallible;

            fn from_str(text: &str) -> Result<Self, Infallible> {
                Ok(Self::from(text))
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(Self::from)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        sql_text!($name);
    };
}

opaque_type!(
    /// A tenant of the SMS gateway: any text, case-sensitive; whether it may send is the allowed list's matter.
    ClientId
);
opaque_type!(
    /// The tenant's own id of a request: any text, echoed as it came.
    CorrelId
);
opaque_type!(
    /// One attempt of the gateway to send a request: a UUIDv7.
    JobId
);
opaque_type!(
    /// A message from a handset: a UUIDv7.
    InboundId
);
opaque_type!(
    /// An SMSC, by the name that the settings give it.
    SmscName
);
opaque_type!(
    /// A route of the SMS gateway, by the name that the settings give it.
    RouteName
);
