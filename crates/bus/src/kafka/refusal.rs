//! Why a broker does not let us in.
//!
//! librdkafka tells it once, when a handshake fails, and not to the call that waits for a broker: that one only learns
//! that none is there. So the reason is kept until something succeeds, and put into the errors meanwhile.

use std::{sync::Arc, time::Duration};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::sync::watch;

use super::client;
use crate::BusError;

/// What all clients of a bus know of it; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusal(Arc<watch::Sender<Option<String>>>);

impl Refusal {
    /// Takes note of what librdkafka reports, if it is about being let in.
    pub(super) fn note(&self, error: &KafkaError, reason: &str) {
        let advice = match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::Authentication) => {
                "check sasl_mechanism, username and password in [bus.security]"
            }
            Some(RDKafkaErrorCode::SSL) => {
                "check that ca_file in [bus.security] has the authority of the broker's certificate, and that the \
                 certificate has the name that [bus] brokers uses; where the broker wants a certificate of ours, \
                 that it trusts the one in certificate_file"
            }
            _ => return,
        };
        // Behind these librdkafka counts milliseconds, or names settings of its own.
        let ends = [" (after ", ": broker certificate could not be verified"];
        let end = ends.iter().filter_map(|end| reason.find(end)).min().unwrap_or(reason.len());
        self.0.send_replace(Some(format!("{}; {advice}", reason.get(..end).unwrap_or(reason))));
    }

    /// Whether there is a reason.
    pub(super) fn is_known(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// A broker has let us in.
    pub(super) fn clear(&self) {
        self.0.send_if_modified(|reason| reason.take().is_some());
    }

    /// Says what a failed call means to the caller.
    pub(super) fn explain(&self, action: &str, error: &KafkaError) -> BusError {
        match &*self.0.borrow() {
            Some(reason) => BusError::unavailable(action, reason),
            None => client::failed(action, error),
        }
    }

    /// Waits until there is a reason that lasts for `grace`.
    pub(super) async fn lasting(&self, grace: Duration) -> String {
        let mut reasons = self.0.subscribe();
        loop {
            // Cannot fail: the sender is ours.
            let _ = reasons.wait_for(Option::is_some).await;
            tokio::time::sleep(grace).await;
            if let Some(reason) = &*reasons.borrow() {
                return reason.clone();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_millis(90);

    fn refused(refusal: &Refusal, code: RDKafkaErrorCode, reason: &str) {
        refusal.note(&KafkaError::Global(code), reason);
    }

    fn explained(refusal: &Refusal) -> String {
        let error = KafkaError::MetadataFetch(RDKafkaErrorCode::BrokerTransportFailure);
        refusal.explain("ask a broker", &error).to_string()
    }

    #[test]
    fn a_refused_login_explains_what_fails_until_something_succeeds() {
        let refusal = Refusal::default();

        refused(
            &refusal,
            RDKafkaErrorCode::Authentication,
            "sasl_ssl://b:1/1: refused (after 7ms in state AUTH)",
        );

        let said = explained(&refusal);
        assert!(said.contains("sasl_ssl://b:1/1: refused; check sasl_mechanism"), "{said}");
        refusal.clear();
        assert!(!explained(&refusal).contains("check"));
    }

    #[test]
    fn a_refused_certificate_names_our_settings_and_not_those_of_librdkafka() {
        let refusal = Refusal::default();

        let reason =
            "verify failed: broker certificate could not be verified, verify that ssl.ca.location is correct";
        refused(&refusal, RDKafkaErrorCode::SSL, reason);

        let said = explained(&refusal);
        assert!(said.contains("ca_file in [bus.security]") && !said.contains("ssl.ca.location"), "{said}");
    }

    #[test]
    fn a_broker_that_is_away_refuses_nobody() {
        let refusal = Refusal::default();

        refused(&refusal, RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down");

        assert!(!explained(&refusal).contains("check"));
    }

    #[tokio::test]
    async fn only_a_reason_that_outlives_the_grace_lasts() {
        let refusal = Refusal::default();
        refused(&refusal, RDKafkaErrorCode::SSL, "soon over");

        let over = async {
            tokio::time::sleep(GRACE / 3).await;
            refusal.clear();
        };
        // Always in this order: should both be due, the reason is over.
        let ((), lasted) =
            tokio::join!(biased; over, tokio::time::timeout(2 * GRACE, refusal.lasting(GRACE)));
        assert!(lasted.is_err(), "{lasted:?}");

        refused(&refusal, RDKafkaErrorCode::SSL, "here to stay");
        assert!(refusal.lasting(GRACE).await.starts_with("here to stay"));
    }
}
