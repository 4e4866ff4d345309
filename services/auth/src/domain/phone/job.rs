//! The SMS that carries a code: an ordinary job of the gateway, which nobody but the gateway can read.

use bus::{Record, record};
use common::crypto::secret::Secret;
use common::crypto::sms_envelope::{Binding, SealError, SealingKey, encode_payload, seal};
use common::crypto::sms_payload::{PayloadError, SmsPayload};
use common::models::UnixMillis;
use common::models::sms::{ClientId, CorrelId, SmsClass, SmsRequest};
use telemetry::{RequestContext, TraceContext};

use crate::settings::PhoneSettings;

/// What stands for the code in the text of the SMS.
const CODE: &str = "{code}";

/// A setting of phone verification that cannot work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobFault {
    /// The key.
    #[error("is no public key of an SMS client: {0}")]
    Key(#[from] SealError),
    /// The text.
    #[error("has no {CODE} in it")]
    Text,
    /// The sender, which the gateway wants to have.
    #[error("is needed: a number, or up to 11 letters and digits")]
    Sender,
}

/// A job that cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    /// The sender of the settings cannot be written.
    #[error("the SMS cannot be written: {0}")]
    Payload(#[from] PayloadError),
    /// The system failed us.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// JSON failed, which this one does not.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// Makes jobs in the name of one client of the gateway.
#[derive(Clone)]
pub(crate) struct Jobs {
    key: SealingKey,
    pub(crate) client: ClientId,
    topic: String,
    sender: String,
    text: String,
}

impl Jobs {
    /// Reads the settings; none without a key. Its kind decides the version of the envelope.
    pub(crate) fn new(settings: &PhoneSettings) -> Result<Option<Self>, JobFault> {
        if settings.key.is_empty() {
            return Ok(None);
        }
        if !settings.text.contains(CODE) {
            return Err(JobFault::Text);
        }
        if settings.sender.is_empty() {
            return Err(JobFault::Sender);
        }
        Ok(Some(Self {
            key: SealingKey::parse(&settings.key)?,
            client: settings.client.clone(),
            topic: settings.send_topic.clone(),
            sender: settings.sender.clone(),
            text: settings.text.clone(),
        }))
    }

    /// Makes the record of the SMS `correl_id` that brings `code` to `phone` by `deadline`, or never.
    pub(super) fn record(
        &self,
        phone: &str,
        code: &Secret<String>,
        correl_id: &str,
        deadline: UnixMillis,
    ) -> Result<Record, JobError> {
        let deadline = deadline.to_rfc3339_seconds();
        let binding = Binding { client_id: self.client.as_str(), correl_id, deadline: &deadline };
        let text = Secret::new(self.text.replace(CODE, code.expose()));
        let payload = SmsPayload::new(phone, Some(&self.sender), text.expose())?;
        let envelope = seal(&self.key, &binding, &payload.to_octets())?;
        let request = SmsRequest {
            client_id: self.client.clone(),
            correl_id: CorrelId::from(correl_id),
            payload: Some(encode_payload(&envelope)),
            class: Some(SmsClass::Otp.as_str().to_owned()),
            deadline: Some(deadline),
        };
        let trace =
            RequestContext::current().map_or_else(TraceContext::random, |context| context.trace.child());
        let key = format!("{}:{correl_id}", self.client);
        Ok(Record::new(&self.topic, key, serde_json::to_vec(&request)?)
            .header(record::TRACEPARENT, trace.to_string()))
    }
}
