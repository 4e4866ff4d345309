//! Writing receipts: a text, TLVs, or both.

use super::behaviour::{Facts, FinalState, ReceiptFormat, ReceiptShape};
use crate::codec::{DeliverSm, MessageState, SubmitSm, Tlv, esm_class};

/// Whether a message that ended like this gets the receipt that it may have asked for (SMPP 3.4 §5.2.17).
pub(super) fn is_wanted(message: &SubmitSm, end: FinalState) -> bool {
    match message.registered_delivery & 0x03 {
        1 => true,
        2 => end.state != MessageState::Delivered,
        _ => false,
    }
}

/// Writes the receipt for a message. It does not quote the text.
pub(super) fn write(
    message: &SubmitSm,
    facts: Facts<'_>,
    format: ReceiptFormat,
    shape: ReceiptShape,
) -> DeliverSm {
    let mut receipt = DeliverSm {
        source: message.destination.clone(),
        destination: message.source.clone(),
        esm_class: esm_class::RECEIPT,
        ..DeliverSm::default()
    };
    if format != ReceiptFormat::Tlv {
        let text = shape.write(facts).into_bytes();
        if shape.in_payload {
            receipt.set_payload(text);
        } else {
            receipt.short_message = text;
        }
    }
    if format != ReceiptFormat::Text {
        receipt.tlvs.set(Tlv::ReceiptedMessageId(facts.id.to_owned()));
        receipt.tlvs.set(Tlv::MessageState(facts.end.state.as_u8()));
        if facts.end.err != 0 {
            // Type of network 3 is GSM (§5.3.2.31).
            receipt.tlvs.set(Tlv::NetworkErrorCode(3, facts.end.err));
        }
    }
    receipt
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::codec::Tlvs;

    const FACTS: Facts<'static> = Facts {
        id: "4d2",
        end: FinalState { state: MessageState::Undeliverable, err: 21 },
        submitted: SystemTime::UNIX_EPOCH,
        done: SystemTime::UNIX_EPOCH,
    };

    #[test]
    fn format_decides_where_the_state_stands() {
        let write = |format| write(&SubmitSm::default(), FACTS, format, ReceiptShape::STANDARD);

        let (text, tlv) = (write(ReceiptFormat::Text), write(ReceiptFormat::Tlv));

        let words = String::from_utf8(text.short_message).unwrap();
        assert!(words.starts_with("id:4d2 ") && words.contains(" stat:UNDELIV err:021 "), "{words}");
        assert_eq!(text.tlvs, Tlvs::default());
        assert!(tlv.short_message.is_empty());
        assert_eq!((tlv.tlvs.receipted_message_id(), tlv.tlvs.message_state()), (Some("4d2"), Some(5)));
        assert_eq!(tlv.tlvs.network_error_code(), Some(21));
    }

    #[test]
    fn a_text_may_travel_as_payload() {
        let shape = ReceiptShape::named("payload").unwrap();

        let receipt = write(&SubmitSm::default(), FACTS, ReceiptFormat::Text, shape);

        assert!(receipt.short_message.is_empty());
        assert!(receipt.text().starts_with(b"id:4d2 sub:001 "));
    }
}
