//! Writing receipts: the text of SMPP 3.4 Appendix B, TLVs, or both.

use std::time::{SystemTime, UNIX_EPOCH};

use super::behaviour::{FinalState, ReceiptFormat};
use crate::codec::{DeliverSm, SubmitSm, Tlv, Tlvs, esm_class, message_state};

/// Whether a message that ended like this gets the receipt that it may have asked for (SMPP 3.4 §5.2.17).
pub(super) fn is_wanted(message: &SubmitSm, state: FinalState) -> bool {
    match message.registered_delivery & 0x03 {
        1 => true,
        2 => state.state != message_state::DELIVERED,
        _ => false,
    }
}

/// Gives the word of a state; that of "unknown" for numbers that are none.
pub(super) fn word(state: u8) -> &'static str {
    match state {
        message_state::ENROUTE => "ENROUTE",
        message_state::DELIVERED => "DELIVRD",
        message_state::EXPIRED => "EXPIRED",
        message_state::DELETED => "DELETED",
        message_state::UNDELIVERABLE => "UNDELIV",
        message_state::ACCEPTED => "ACCEPTD",
        message_state::REJECTED => "REJECTD",
        _ => "UNKNOWN",
    }
}

/// Writes the receipt for a message. It does not quote the text.
pub(super) fn write(message: &SubmitSm, id: &str, state: FinalState, format: ReceiptFormat) -> DeliverSm {
    let mut receipt = DeliverSm {
        source: message.destination.clone(),
        destination: message.source.clone(),
        esm_class: esm_class::RECEIPT,
        ..DeliverSm::default()
    };
    if format != ReceiptFormat::Tlv {
        let date = minute_stamp(SystemTime::now());
        let delivered = u8::from(state.state == message_state::DELIVERED);
        receipt.short_message = format!(
            "id:{id} sub:001 dlvrd:{delivered:03} submit date:{date} done date:{date} stat:{} err:{:03} text:",
            word(state.state),
            state.err,
        )
        .into_bytes();
    }
    if format != ReceiptFormat::Text {
        receipt.tlvs = Tlvs(vec![Tlv::ReceiptedMessageId(id.to_owned()), Tlv::MessageState(state.state)]);
        if state.err != 0 {
            // Type of network 3 is GSM (§5.3.2.31).
            receipt.tlvs.0.push(Tlv::NetworkErrorCode(3, state.err));
        }
    }
    receipt
}

/// `YYMMDDhhmm` in UTC.
fn minute_stamp(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = civil(seconds / 86_400);
    let minutes = seconds / 60;
    format!("{:02}{month:02}{day:02}{:02}{:02}", year % 100, minutes / 60 % 24, minutes % 60)
}

/// Year, month and day of a number of days since 1970 (H. Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_are_civil() {
        let cases = [(0, "7001010000"), (951_827_700, "0002291235"), (1_795_257_420, "2611211037")];

        for (seconds, stamp) in cases {
            assert_eq!(minute_stamp(UNIX_EPOCH + Duration::from_secs(seconds)), stamp);
        }
    }

    #[test]
    fn format_decides_where_the_state_stands() {
        let state = FinalState { state: message_state::UNDELIVERABLE, err: 21 };
        let write = |format| write(&SubmitSm::default(), "4d2", state, format);

        let (text, tlv) = (write(ReceiptFormat::Text), write(ReceiptFormat::Tlv));

        let words = String::from_utf8(text.short_message).unwrap();
        assert!(words.starts_with("id:4d2 ") && words.contains(" stat:UNDELIV err:021 "), "{words}");
        assert_eq!(text.tlvs, Tlvs::default());
        assert!(tlv.short_message.is_empty());
        assert_eq!((tlv.tlvs.receipted_message_id(), tlv.tlvs.message_state()), (Some("4d2"), Some(5)));
        assert_eq!(tlv.tlvs.network_error_code(), Some(21));
    }
}
