//! Receipts of the messages that were sent here, among what else an SMSC brings.

use smpp::codec::{CommandStatus, DeliverSm};
use smpp::esme::{Probe, ProbeError};
use sms::receipt::{Receipt, ReceiptState, ReceiptTlvs};
use tokio::time::Instant;

use super::block::{Learnt, id_base, shows_base};
use super::options::Messages;
use super::report::Report;
use super::steps::{NO_RECEIPT, Step, count, failure, ms, ours};

/// One message on its way.
pub(super) struct Sent {
    pub(super) id: String,
    pub(super) at: Instant,
    /// Its last state, once there is one.
    pub(super) receipt: Option<ReceiptState>,
}

/// Reads a receipt, its TLVs before its text.
fn read(message: &DeliverSm) -> Option<Receipt> {
    let tlvs = ReceiptTlvs {
        message_id: message.tlvs.receipted_message_id(),
        message_state: message.tlvs.message_state(),
        network_error: message.tlvs.network_error_code(),
    };
    message.is_receipt().then(|| Receipt::read(message.text(), tlvs)).flatten()
}

/// Tells whether a receipt can be that of a message with this id to this number (without `+`).
fn is_ours(message: &DeliverSm, receipt: &Receipt, id: &str, digits: &str) -> bool {
    // Nobody else's message gets an answer, even if its id could be read as ours.
    let number = message.source.value.trim_start_matches(['+', '0']);
    number == digits && id_base(id, &receipt.id).is_some()
}

/// Says where a receipt has its id and state.
fn form(message: &DeliverSm, data_sm: bool) -> String {
    let text = Receipt::read(message.text(), ReceiptTlvs::default());
    let tlvs = message.tlvs.receipted_message_id();
    let place = match (&text, tlvs) {
        (Some(text), Some(id)) if text.id == id => "in its text and its TLVs".to_owned(),
        (Some(text), Some(id)) => format!("in its TLVs; its text writes the id {:?}, they {id:?}", text.id),
        (Some(_), None) => "in its text".to_owned(),
        (None, _) => "in its TLVs".to_owned(),
    };
    format!("{place}, as {}", if data_sm { "data_sm" } else { "deliver_sm" })
}

/// Waits for the receipts of what was sent, and takes no others.
///
/// # Errors
/// One that does not come, or says that its message was not delivered.
pub(super) async fn wait(
    messages: &Messages,
    probe: &mut Probe,
    sent: &mut [Sent],
    (report, learnt): (&mut Report, &mut Learnt),
) -> Step {
    let patience = messages.receipt_timeout;
    let until = Instant::now() + patience;
    let (mut others, mut riddle) = (0, None);
    let lost = |error: ProbeError| {
        failure(NO_RECEIPT, "receipt", error.to_string(), "the message was accepted; try again later")
    };
    while sent.iter().any(|sent| sent.receipt.is_none()) {
        let Some(brought) = probe.receive(until).await.map_err(lost)? else { break };
        let receipt = read(&brought.message);
        let digits = messages.to.digits();
        let own = receipt.as_ref().and_then(|receipt| {
            sent.iter_mut().find(|sent| is_ours(&brought.message, receipt, &sent.id, digits))
        });
        let (Some(receipt), Some(sent)) = (&receipt, own) else {
            // Of another message: whoever sent that shall have it.
            probe.answer(&brought, CommandStatus::RX_T_APPN).await.map_err(lost)?;
            others += 1;
            riddle = riddle.or(receipt.map(|receipt| receipt.id));
            continue;
        };
        probe.answer(&brought, CommandStatus::ROK).await.map_err(lost)?;
        let after = brought.at.saturating_duration_since(sent.at);
        let form = form(&brought.message, brought.data_sm);
        let text = format!("{} after {}; {form}; id {:?}", receipt.state.as_str(), ms(after), receipt.id);
        report.step("receipt", &text).map_err(ours("receipt"))?;
        if receipt.state.is_final() {
            sent.receipt = Some(receipt.state);
            learnt.receipt_id.get_or_insert_with(|| receipt.id.clone());
            let shown = shows_base(&sent.id) || shows_base(&receipt.id);
            learnt.id_base = learnt.id_base.or(id_base(&sent.id, &receipt.id).filter(|_| shown));
        }
    }
    if others > 0 {
        let text = format!(
            "{others} times the SMSC brought what belongs to none of these messages; it was told to bring it again \
             later (0x64){}",
            riddle.map_or(String::new(), |id| format!("; the first had the id {id:?}"))
        );
        report.note("receipt", &text).map_err(ours("receipt"))?;
    }
    let open = sent.iter().filter(|sent| sent.receipt.is_none()).count();
    if open > 0 {
        let text = format!("none for {} in {}", count(open), humantime::format_duration(patience));
        let advice = "is the telephone on? Ask the operator whether receipts are switched on for the account; \
                      without them the gateway tells SENT and never DELIVERED";
        return Err(failure(NO_RECEIPT, "receipt", text, advice));
    }
    let bad = sent.iter().filter_map(|sent| sent.receipt).find(|state| *state != ReceiptState::Delivered);
    match bad {
        None => Ok(()),
        Some(state) => {
            let text = format!("it says {}: the message was not delivered", state.as_str());
            let advice = "is the number right, and the telephone on? Ask the operator, with the message id";
            Err(failure(NO_RECEIPT, "receipt", text, advice))
        }
    }
}
