//! What RabbitMQ lets whom do: it asks by its plugin `rabbitmq_auth_backend_http`, and believes the answer.
//!
//! A gateway client may read its own queues, and bind them to its own keys, which at this broker takes the rights to write
//! to the queue and to read the exchange. It may declare, delete and publish nothing. Relay's own user, and those of the
//! settings, may do everything in relay's virtual host.

use common::models::GatewayClientId;
use common::models::gateway::MODEM_EXCHANGE;

use super::{RelayError, clients};
use crate::app::State;
use crate::store;

/// What the broker wants to know, behind the name of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question<'a> {
    /// Whether it may open a virtual host.
    Vhost,
    /// Whether it may do something with a queue or an exchange.
    Resource {
        /// `queue`, `exchange` or `topic`.
        kind: &'a str,
        /// Which.
        name: &'a str,
        /// `configure`, `write` or `read`.
        permission: &'a str,
    },
    /// Whether it may do something with a routing key of a topic exchange.
    Topic {
        /// Which exchange.
        exchange: &'a str,
        /// `write` (publish) or `read` (bind).
        permission: &'a str,
        /// Which key.
        routing_key: &'a str,
    },
}

/// Tells whether name and secret are those of somebody who may connect.
///
/// # Errors
/// [`RelayError::Db`].
pub(crate) async fn may_connect(state: &State, user: &str, secret: &str) -> Result<bool, RelayError> {
    if let Some(known) = state.broker_users.get(user) {
        return Ok(known.matches(secret));
    }
    match clients::authenticate(state, user, secret).await {
        Ok(_) => Ok(true),
        Err(RelayError::BadCredentials) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Answers a question about somebody in a virtual host.
///
/// # Errors
/// [`RelayError::Db`].
pub(crate) async fn may(
    state: &State,
    user: &str,
    vhost: &str,
    question: Question<'_>,
) -> Result<bool, RelayError> {
    if state.broker.as_ref().is_none_or(|broker| broker.identity().vhost != vhost) {
        return Ok(false);
    }
    if state.broker_users.contains_key(user) {
        return Ok(true);
    }
    let Ok(client) = user.parse::<GatewayClientId>() else { return Ok(false) };
    if !is_allowed(client, question) {
        return Ok(false);
    }
    // Last, since it costs the most: one that was revoked loses what it could do, not only its next connection.
    Ok(state.db.read(move |conn| store::clients::find(conn, client)).await?.is_some())
}

/// The rules for a gateway client.
fn is_allowed(client: GatewayClientId, question: Question<'_>) -> bool {
    match question {
        Question::Vhost => true,
        Question::Resource { kind: "queue", name, permission: "read" | "write" } => {
            is_own(client, "_OUTGOING_SMS_", name)
        }
        Question::Resource { kind: "exchange", name, permission: "read" } => name == MODEM_EXCHANGE,
        Question::Topic { exchange, permission: "read", routing_key } => {
            exchange == MODEM_EXCHANGE && is_own(client, "_OUTGOING_SMS.", routing_key)
        }
        Question::Resource { .. } | Question::Topic { .. } => false,
    }
}

/// Tells whether `name` is the client's id, then `middle`, then an operator, which can be no pattern.
fn is_own(client: GatewayClientId, middle: &str, name: &str) -> bool {
    let operator = name.strip_prefix(client.as_str()).and_then(|rest| rest.strip_prefix(middle));
    operator.is_some_and(|operator| operator.parse::<common::models::gateway::OperatorKey>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource<'a>(kind: &'a str, name: &'a str, permission: &'a str) -> Question<'a> {
        Question::Resource { kind, name, permission }
    }

    fn topic<'a>(exchange: &'a str, permission: &'a str, routing_key: &'a str) -> Question<'a> {
        Question::Topic { exchange, permission, routing_key }
    }

    #[test]
    fn a_client_may_read_its_queues_and_bind_them_to_its_keys_and_nothing_else() {
        let (own, other) = (GatewayClientId::new(), GatewayClientId::new());
        let (queue, key) = (format!("{own}_OUTGOING_SMS_mtn"), format!("{own}_OUTGOING_SMS.mtn"));
        let (theirs, their_key) = (format!("{other}_OUTGOING_SMS_mtn"), format!("{other}_OUTGOING_SMS.mtn"));
        let longer = format!("{queue}.more");
        let (all, any) = (format!("{own}_OUTGOING_SMS.#"), format!("{own}_OUTGOING_SMS.*"));

        for question in [
            Question::Vhost,
            resource("queue", &queue, "read"),
            resource("queue", &queue, "write"),
            resource("exchange", MODEM_EXCHANGE, "read"),
            topic(MODEM_EXCHANGE, "read", &key),
        ] {
            assert!(is_allowed(own, question), "{question:?}");
        }
        for question in [
            resource("queue", &queue, "configure"),
            resource("queue", &theirs, "read"),
            resource("queue", &theirs, "write"),
            resource("queue", &longer, "read"),
            resource("queue", "default-smswithoutborders-queue", "read"),
            resource("exchange", MODEM_EXCHANGE, "configure"),
            resource("exchange", MODEM_EXCHANGE, "write"),
            resource("exchange", "amq.default", "write"),
            resource("exchange", "default-smswithoutborders-exchange", "read"),
            resource("topic", MODEM_EXCHANGE, "read"),
            topic(MODEM_EXCHANGE, "write", &key),
            topic(MODEM_EXCHANGE, "read", &their_key),
            topic(MODEM_EXCHANGE, "read", "#"),
            topic(MODEM_EXCHANGE, "read", &all),
            topic(MODEM_EXCHANGE, "read", &any),
            topic("default-smswithoutborders-exchange", "read", &key),
        ] {
            assert!(!is_allowed(own, question), "{question:?}");
        }
    }
}
