//! Questions to SMSCs about messages whose receipt has not come (query_sm, SMPP 3.4 §4.8).
//!
//! An answer that decides counts as the receipt. One that does not, or none, changes nothing: it is asked again later.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use common::crypto::sms_payload::SmsPayload;
use futures_util::StreamExt as _;
use futures_util::stream;
use smpp::codec::{Address, QuerySm, QuerySmResp};
use sms::receipt::ReceiptState;
use tokio_util::sync::CancellationToken;

use super::Gateway;
use super::links::{Link, Links};
use super::openers::{Opened, Sealed};
use crate::domain::attempt::PartEvent;
use crate::domain::receipt::Fate;
use crate::store::StoreError;
use crate::store::questions::{self, Question};
use crate::store::receipts::Outcome;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Questions under way at once: each takes a slot of the window, which is there for submissions.
const AT_ONCE: usize = 2;

/// Runs until cancelled; without an SMSC that is to be asked, it only waits for that.
pub(crate) async fn run(
    gateway: Arc<Gateway>,
    links: Arc<Links>,
    cancel: CancellationToken,
) -> Result<(), Infallible> {
    if links.all().iter().all(|link| link.query_after.is_none()) {
        cancel.cancelled().await;
        return Ok(());
    }
    loop {
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let rules = gateway.rules.clone();
        let now = gateway.now();
        match gateway.db.write(move |conn| questions::take(conn, &rules, now)).await {
            Ok(questions) => ask_all(&gateway, &links, questions).await,
            Err(error) => tracing::warn!(%error, "no SMSC can be asked for missing receipts now"),
        }
    }
}

async fn ask_all(gateway: &Gateway, links: &Links, questions: Vec<Question>) {
    let (questions, sealed): (Vec<Question>, Vec<Sealed>) =
        questions.into_iter().filter_map(|one| Sealed::of(&one.row).map(|sealed| (one, sealed))).unzip();
    let opened = gateway.openers.open(sealed).await;
    stream::iter(questions.into_iter().zip(opened))
        .for_each_concurrent(AT_ONCE, |(question, opened)| async move {
            let link = links.all().iter().find(|link| Some(&link.name) == question.row.smsc.as_ref());
            // Without the message there is no sender to name, and without the SMSC nobody to ask.
            let (Some(link), Ok(Opened { message, .. })) = (link, opened) else { return };
            for (part, message_id) in &question.parts {
                let asked = ask(gateway, link, &question, (*part, message_id), &message).await;
                if let Err(error) = asked {
                    tracing::warn!(smsc = %link.name, %error, "an answer about a message cannot be stored now");
                }
            }
        })
        .await;
}

async fn ask(
    gateway: &Gateway,
    link: &Link,
    question: &Question,
    (part, message_id): (i32, &str),
    message: &SmsPayload,
) -> Result<(), StoreError> {
    let Some(Ok(sender)) = message.sender().map(sms::sender::detect) else { return Ok(()) };
    let (ton, npi) = sender.kind.ton_npi();
    let source = Address { ton, npi, value: sender.value };
    let count =
        |outcome| gateway.metrics.queries_total.with_label_values(&[link.name.as_str(), outcome]).inc();
    let answer = match link.query(QuerySm { message_id: message_id.to_owned(), source }).await {
        Ok(answer) => answer,
        Err(error) => {
            count("failed");
            tracing::debug!(smsc = %link.name, %error, "query_sm");
            return Ok(());
        }
    };
    let Some(fate) = decided(&answer) else {
        count("undecided");
        return Ok(());
    };
    count("told");
    let outcome = Outcome::Response {
        smsc: link.name.clone(),
        key: question.row.key(),
        part,
        copy: question.row.resends,
        tries: question.row.tries,
        event: PartEvent::Receipt(fate),
    };
    let settled = gateway.outcomes.submit(outcome).await?;
    settled.follow();
    gateway.announcer.announce(&settled.statuses);
    Ok(())
}

/// Reads an answer; `None` when nothing is decided. An SMSC that no longer knows says nothing about the message.
fn decided(answer: &QuerySmResp) -> Option<Fate> {
    let state = ReceiptState::from_message_state(answer.message_state.as_u8())?;
    if !state.is_final() || state == ReceiptState::Unknown {
        return None;
    }
    let error = (answer.error_code != 0).then(|| answer.error_code.to_string());
    Some(Fate::of(state, error.as_deref()))
}

#[cfg(test)]
mod tests {
    use common::models::sms::SmsState;
    use smpp::codec::MessageState;

    use super::*;

    fn answer(message_state: MessageState, error_code: u8) -> Option<Fate> {
        decided(&QuerySmResp { message_state, error_code, ..QuerySmResp::default() })
    }

    #[test]
    fn only_what_has_ended_is_decided() {
        use MessageState::{Accepted, Delivered, Enroute, Other, Undeliverable, Unknown};

        assert_eq!(answer(Delivered, 0).unwrap().state(), Some(SmsState::Delivered));
        let failed = answer(Undeliverable, 21).unwrap();
        assert_eq!(
            (failed.state(), failed.text()),
            (Some(SmsState::Failed), Some("undeliverable, error 21"))
        );
        for state in [Enroute, Accepted, Unknown, Other(99)] {
            assert!(answer(state, 0).is_none(), "{state:?}");
        }
    }
}
