//! SMS that back-ends want sent: each goes into the queue of the client's modem for its operator, or comes back as an error.

use bus::with_trace;
use common::models::gateway::{MODEM_EXCHANGE, ModemSms, OperatorKey, modem_key};
use lapin::BasicProperties;
use telemetry::RequestContext;
use uuid::Uuid;

use super::RelayError;
use crate::app::State;
use crate::broker::{Broker, BrokerError};
use crate::store::clients::{self, ClientRow};

/// An SMS for a modem.
pub(crate) struct Outgoing {
    pub(crate) operator: OperatorKey,
    pub(crate) sms: ModemSms,
}

/// Delivery mode of a message that the broker writes to disk.
const PERSISTENT: u8 = 2;

/// Queues SMS, in their order; each has its own result. Once the broker has given no answer, it is not asked about the rest:
/// the caller would wait for each of them.
///
/// # Errors
/// [`RelayError::Db`] when it cannot be told which operators the client serves: then none was queued.
pub(crate) async fn send(
    state: &State,
    broker: &Broker,
    client: &ClientRow,
    all: Vec<Outgoing>,
) -> Result<Vec<Result<(), BrokerError>>, RelayError> {
    let id = client.client_id;
    let operators = state.db.read(move |conn| clients::operators(conn, &[id])).await?;
    let mut results = Vec::with_capacity(all.len());
    let mut answers = true;
    for outgoing in all {
        let served = operators.iter().any(|(_, operator)| *operator == outgoing.operator);
        let result = if answers {
            queue_or_declare(broker, client, &outgoing, served).await
        } else {
            Err(BrokerError::Away)
        };
        answers = matches!(result, Ok(()) | Err(BrokerError::Unroutable | BrokerError::Refused));
        let outcome = match &result {
            Ok(()) => "queued",
            Err(BrokerError::Unroutable) => "unroutable",
            Err(_) => "failed",
        };
        state.metrics.outgoing_total.with_label_values(&[outcome]).inc();
        results.push(result);
    }
    Ok(results)
}

/// Queues one. A queue that should be there and is not is declared: whoever registered the client was killed before it was,
/// or somebody has removed it since.
async fn queue_or_declare(
    broker: &Broker,
    client: &ClientRow,
    outgoing: &Outgoing,
    served: bool,
) -> Result<(), BrokerError> {
    match queue(broker, client, outgoing).await {
        Err(BrokerError::Unroutable) if served => {
            broker.declare(client.client_id, std::slice::from_ref(&outgoing.operator)).await?;
            queue(broker, client, outgoing).await
        }
        result => result,
    }
}

async fn queue(broker: &Broker, client: &ClientRow, outgoing: &Outgoing) -> Result<(), BrokerError> {
    let (id, trace) = (Uuid::now_v7(), RequestContext::current().map(|context| context.trace));
    let properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/json".into())
        .with_message_id(id.to_string().into());
    // Texts alone: they always have a form in JSON.
    let body = serde_json::to_vec(&outgoing.sms).unwrap_or_default();
    let key = modem_key(client.client_id, &outgoing.operator);
    broker.publish(MODEM_EXCHANGE, &key, with_trace(properties, trace), &body).await?;
    if let Some(trace) = trace {
        telemetry::follow!(trace, sms.id = %id, client.id = %client.client_id, "an SMS waits for a modem");
    }
    Ok(())
}
