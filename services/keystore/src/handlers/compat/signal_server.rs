//! `/device`, `/prekeys`, `/signedprekey`, `/prekeybundle`, as clients of signal_server know them. Errors of their routes
//! are JSON objects of three forms; see [`service::signal_server`].

pub(crate) mod bundle;
pub(crate) mod device;
mod keys;
pub(crate) mod prekeys;

use serde::Serialize;
use service::signal_server::{Code, Refusal};

use crate::domain::KeystoreError;
use crate::domain::signal_server::SignalServerError;

/// From an error to this wire: the only table.
fn refusal(error: SignalServerError) -> Refusal {
    let code = match error {
        SignalServerError::NoDevice => Code::NoDevice,
        SignalServerError::DeviceChanged => Code::DeviceChanged,
        SignalServerError::DeviceExists => Code::DeviceExists,
        SignalServerError::NoRecipientDevice => Code::NoRecipientDevice,
        SignalServerError::NoPrekeys => Code::NoPrekeys,
        SignalServerError::TooManyPrekeys => Code::ReachedMaxPrekeys,
        SignalServerError::KeyIdExists => Code::PrekeyIdExists,
        // Deleted a moment ago: its tokens are void.
        SignalServerError::Other(KeystoreError::NoAccount) => {
            return Refusal::unauthorized("User not found.");
        }
        SignalServerError::Other(other) => return Refusal::of(&other),
    };
    Refusal::coded(code)
}

/// A success that says so in words.
#[derive(Debug, Serialize)]
struct Word {
    code: &'static str,
    message: &'static str,
}
