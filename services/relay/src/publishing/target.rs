//! Who gets SMS: a queue at RabbitMQ, or an HTTP address.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bus::with_trace;
use common::crypto::Secret;
use common::crypto::token::{NoRandomness, random};
use lapin::BasicProperties;
use openssl::symm::{Cipher, encrypt};
use reqwest::Client;
use serde_json::json;
use telemetry::TraceContext;
use url::Url;
use zeroize::Zeroizing;

use crate::broker::{Broker, BrokerError};
use crate::domain::{MessageId, Payload};

/// Delivery mode of a message that the broker writes to disk.
const PERSISTENT: u8 = 2;

const KEY: usize = 32;
const IV: usize = 16;

/// Whether an SMS was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// The publisher has it.
    Yes,
    /// Not this one, or nobody knows: to be tried again on its own.
    Refused,
    /// Nobody is there: whatever is tried next fails as well.
    Away,
}

impl Taken {
    /// Gives the name that log lines have.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "published",
            Self::Refused => "refused",
            Self::Away => "away",
        }
    }
}

/// The publisher.
pub(crate) enum Target {
    /// A queue at RabbitMQ.
    Amqp {
        /// The connection.
        broker: Broker,
        /// Where messages are published.
        exchange: String,
        /// Under which key.
        routing_key: String,
        /// Under which messages are encrypted; empty: they are not.
        key: Secret<String>,
    },
    /// An HTTP address.
    Http {
        /// Makes the calls.
        client: Client,
        /// Where SMS are posted.
        url: Url,
    },
}

impl Target {
    /// Hands an SMS over, with the trace of the request that brought it.
    pub(super) async fn deliver(&self, id: &MessageId, sms: &Payload, trace: Option<TraceContext>) -> Taken {
        match self {
            Self::Amqp { broker, exchange, routing_key, key } => {
                let Ok((kind, body)) = body(sms, key) else { return Taken::Refused };
                let properties = BasicProperties::default()
                    .with_delivery_mode(PERSISTENT)
                    .with_content_type(kind.into())
                    .with_message_id(id.as_str().into());
                let properties = with_trace(properties, trace);
                let publish = || broker.publish(exchange, routing_key, properties.clone(), &body);
                let mut published = publish().await;
                if matches!(published, Err(BrokerError::Unroutable)) {
                    // Somebody has removed the queue, or its binding, since the connection was made.
                    published = match broker.declare_shared().await {
                        Ok(()) => publish().await,
                        Err(error) => Err(error),
                    };
                }
                match published {
                    Ok(()) => Taken::Yes,
                    Err(BrokerError::Away | BrokerError::Lost(_)) => Taken::Away,
                    Err(error) => {
                        tracing::warn!(sms.id = %id, %error, "an SMS did not reach the publisher's queue");
                        Taken::Refused
                    }
                }
            }
            Self::Http { client, url } => {
                let body = json!({"MSISDN": sms.msisdn, "message": sms.message});
                let mut call = client.post(url.clone()).header("idempotency-key", id.as_str()).json(&body);
                if let Some(trace) = trace {
                    call = call.header(TraceContext::HEADER, trace.child().to_string());
                }
                match call.send().await {
                    Ok(answer) if answer.status().is_success() => Taken::Yes,
                    Ok(answer) => {
                        tracing::warn!(sms.id = %id, status = answer.status().as_u16(), "the publisher refused an SMS");
                        Taken::Refused
                    }
                    Err(error) if error.is_connect() => Taken::Away,
                    // It may have it; its message id tells it so when it comes again.
                    Err(_) => Taken::Refused,
                }
            }
        }
    }

    /// Waits until there is somebody again, where that can be told.
    pub(super) async fn comes_back(&self) {
        match self {
            Self::Amqp { broker, .. } => broker.connected().await,
            Self::Http { .. } => std::future::pending().await,
        }
    }
}

/// The body of a message, and what it is: JSON, or with a key base64( IV + AES-256-CBC(JSON) ), as upstream's publisher
/// reads it.
fn body(sms: &Payload, key: &Secret<String>) -> Result<(&'static str, Zeroizing<Vec<u8>>), NoRandomness> {
    let json = json!({"MSISDN": sms.msisdn, "platform": sms.platform, "message": sms.message});
    let json = Zeroizing::new(json.to_string().into_bytes());
    if key.is_empty() {
        return Ok(("application/json", json));
    }
    let iv: [u8; IV] = random()?;
    // Key and IV have their lengths; nothing else can be wrong.
    let sealed = encrypt(Cipher::aes_256_cbc(), &*padded(key), Some(&iv), &json).map_err(|_| NoRandomness)?;
    Ok(("text/plain", Zeroizing::new(STANDARD.encode([&iv[..], &sealed].concat()).into_bytes())))
}

/// The first 32 characters of a key, with zeros (`0`) behind a shorter one.
fn padded(key: &Secret<String>) -> Zeroizing<[u8; KEY]> {
    let mut padded = Zeroizing::new([b'0'; KEY]);
    for (octet, given) in padded.iter_mut().zip(key.expose().bytes()) {
        *octet = given;
    }
    padded
}

#[cfg(test)]
mod tests {
    use openssl::symm::decrypt;

    use super::*;

    #[test]
    fn a_message_is_json_or_what_its_key_opens() {
        let sms = Payload::new(&"+237677123456".parse().unwrap(), "gmail", "g:a@b.c:::Hi:text");
        let expected =
            json!({"MSISDN": "+237677123456", "platform": "gmail", "message": "g:a@b.c:::Hi:text"});

        let (kind, plain) = body(&sms, &"".into()).unwrap();
        let (sealed_kind, sealed) = body(&sms, &"a short key".into()).unwrap();

        assert_eq!((kind, serde_json::from_slice(&plain).ok()), ("application/json", Some(expected.clone())));
        let octets = STANDARD.decode(&*sealed).unwrap();
        let (iv, ciphertext) = octets.split_at(IV);
        let opened =
            decrypt(Cipher::aes_256_cbc(), b"a short key000000000000000000000", Some(iv), ciphertext);
        assert_eq!(
            (sealed_kind, serde_json::from_slice(&opened.unwrap()).ok()),
            ("text/plain", Some(expected))
        );
        assert_eq!(*padded(&"k".repeat(40).into()), [b'k'; KEY]);
    }
}
