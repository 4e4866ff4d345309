//! Errors in the three forms of signal_server: with a code, with a `detail`, or with texts by field.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use common::models::AsProblem;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Errors, Throttled};

/// Defines the coded errors once: status, code and text as they are on the wire.
macro_rules! codes {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $status:literal $code:literal $message:literal, )+) => {
        /// A coded error.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $( $(#[doc = $doc])+ $variant, )+
        }

        impl Code {
            /// Gives status, code and text.
            fn row(self) -> (u16, &'static str, &'static str) {
                match self { $( Self::$variant => ($status, $code, $message), )+ }
            }
        }
    };
}

codes! {
    /// The caller has no device.
    NoDevice = 400 "no_device" "User has not yet registered a device",
    /// The recipient has no device; the code is the same.
    NoRecipientDevice = 400 "no_device" "Recipient has not yet registered a device",
    /// Nobody has the recipient's name.
    NoRecipient = 400 "no_recipient" "One of the messages you sent has a non-existent user",
    /// The caller has a device already.
    DeviceExists = 403 "device_exists" "A device has already been created for this user",
    /// The registration id in the path is not that of the caller's device.
    DeviceChanged = 403 "device_changed" "Own device has changed",
    /// The registration id in a message is not that of the recipient's device.
    RecipientIdentityChanged = 403 "recipient_identity_changed" "Recipients device has changed",
    /// The body has another shape.
    IncorrectArguments = 403 "incorrect_arguments" "Incorrect arguments were provided to the API call",
    /// A field of the body breaks its rule; `errors` says which.
    InvalidData = 400 "invalid_data" "Invalid data provided",
    /// The recipient's device has no prekey left.
    NoPrekeys = 400 "no_prekeys" "No prekeys are available for the requested device",
    /// There is no room for so many prekeys.
    ReachedMaxPrekeys = 400 "reached_max_prekeys" "User has reached the maximum number of prekeys allowed",
    /// A key id stands for another key already.
    PrekeyIdExists = 400 "prekey_id_exists" "A prekey with that keyId already exists",
}

/// An error as its clients get it.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    body: Value,
    retry_after: Option<Duration>,
    allow: Option<String>,
}

impl Refusal {
    fn new(status: StatusCode, body: Value) -> Self {
        Self { status, body, retry_after: None, allow: None }
    }

    /// Makes a coded one.
    #[must_use]
    pub fn coded(code: Code) -> Self {
        let (status, code, message) = code.row();
        Self::new(known(status), json!({"code": code, "message": message}))
    }

    /// Makes the coded one of fields that break their rules. `errors` has the shape of the request.
    #[must_use]
    pub fn invalid_data(errors: impl Into<Value>) -> Self {
        let mut refusal = Self::coded(Code::InvalidData);
        if let Value::Object(body) = &mut refusal.body {
            body.insert("errors".to_owned(), errors.into());
        }
        refusal
    }

    /// Makes the 400 with the texts of fields, without a code.
    #[must_use]
    pub fn fields(errors: Errors) -> Self {
        Self::new(StatusCode::BAD_REQUEST, errors.into())
    }

    /// Makes the 400 about one field.
    #[must_use]
    pub fn field(name: &str, text: &str) -> Self {
        let mut errors = Errors::default();
        errors.add(name, text);
        Self::fields(errors)
    }

    /// Makes the 400 that is about the body as a whole.
    #[must_use]
    pub fn non_field(text: &str) -> Self {
        Self::field("non_field_errors", text)
    }

    /// Makes one with a `detail`.
    #[must_use]
    pub fn detail(status: StatusCode, text: &str) -> Self {
        Self::new(status, json!({"detail": text}))
    }

    /// Makes the 401; `text` says what is wrong with the header, and nothing about an account.
    #[must_use]
    pub fn unauthorized(text: &str) -> Self {
        Self::detail(StatusCode::UNAUTHORIZED, text)
    }

    /// Makes the 403 of somebody who may not.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::detail(StatusCode::FORBIDDEN, "You do not have permission to perform this action.")
    }

    /// Makes the 404 of a path.
    #[must_use]
    pub fn not_found() -> Self {
        Self::detail(StatusCode::NOT_FOUND, "Not found.")
    }

    /// Makes the 405; `allowed` is what the path takes.
    #[must_use]
    pub fn method_not_allowed(method: &str, allowed: &str) -> Self {
        let text = format!("Method \"{method}\" not allowed.");
        let allow = Some(allowed.to_owned());
        Self { allow, ..Self::detail(StatusCode::METHOD_NOT_ALLOWED, &text) }
    }

    /// Makes the refusal of an error that has no form of its own in this interface: its status, with the status's name.
    /// A fault is logged, here and once.
    pub fn of<E: AsProblem + ?Sized>(error: &E) -> Self {
        let kind = error.kind();
        let status = known(kind.status());
        match status {
            StatusCode::INTERNAL_SERVER_ERROR => tracing::error!(%error, "request failed"),
            _ if kind.is_fault() => tracing::warn!(%error, "request failed"),
            _ => {}
        }
        match error.retry_after() {
            Some(wait) if status == StatusCode::TOO_MANY_REQUESTS => Throttled(wait).into(),
            retry_after => {
                let text = status.canonical_reason().unwrap_or("Refused");
                Self { retry_after, ..Self::detail(status, text) }
            }
        }
    }

    /// Writes the response. Not by way of an actix error, whose form is a problem document.
    #[must_use]
    pub fn into_response(self) -> HttpResponse {
        let Self { status, body, retry_after, allow } = self;
        let mut response = HttpResponse::build(status);
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, r#"Bearer realm="api""#));
        }
        if let Some(allow) = allow {
            response.insert_header((header::ALLOW, allow));
        }
        let later = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        if later || retry_after.is_some() {
            response.insert_header((header::RETRY_AFTER, retry_after.map_or(1, seconds).to_string()));
        }
        response.json(body)
    }
}

impl From<Throttled> for Refusal {
    fn from(Throttled(wait): Throttled) -> Self {
        let seconds = seconds(wait);
        let unit = if seconds == 1 { "second" } else { "seconds" };
        let text = format!("Request was throttled. Expected available in {seconds} {unit}.");
        Self { retry_after: Some(wait), ..Self::detail(StatusCode::TOO_MANY_REQUESTS, &text) }
    }
}

fn seconds(wait: Duration) -> u128 {
    wait.as_millis().div_ceil(1000).max(1)
}

fn known(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Writes what a handler has come to.
pub fn answer<T: Serialize>(success: StatusCode, outcome: Result<T, Refusal>) -> HttpResponse {
    match outcome {
        Ok(body) => HttpResponse::build(success).json(body),
        Err(refusal) => refusal.into_response(),
    }
}

/// Writes a success that has no body, or a refusal.
pub fn done(outcome: Result<(), Refusal>) -> HttpResponse {
    match outcome {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(refusal) => refusal.into_response(),
    }
}
