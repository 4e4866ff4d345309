//! What an SMSC's refusal means for the client (spec §8.4).

use common::models::sms::SmsState;
use smpp::codec::CommandStatus;

/// Tells the status that a refusal leads to. Throttling is no refusal and does not come here.
pub(crate) fn refusal_state(status: CommandStatus) -> SmsState {
    match status {
        CommandStatus::RINVMSGLEN
        | CommandStatus::RINVSRCADR
        | CommandStatus::RINVSRCTON
        | CommandStatus::RINVSRCNPI
        | CommandStatus::RINVDSTADR
        | CommandStatus::RINVDSTTON
        | CommandStatus::RINVDSTNPI
        | CommandStatus::RINVSCHED
        | CommandStatus::RINVEXPIRY => SmsState::Invalid,
        _ => SmsState::Failed,
    }
}

/// Gives the `error-text` of a refusal: code and name, and which segment if there are several.
pub(crate) fn refusal_text(status: CommandStatus, part: i32, segments: i32) -> String {
    match segments {
        1 => format!("the SMSC refused the message: {status}"),
        _ => format!("the SMSC refused segment {part} of {segments}: {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_length_and_time_errors_are_the_requests_fault() {
        for code in [0x01, 0x0A, 0x0B, 0x48, 0x49, 0x50, 0x51, 0x61, 0x62] {
            assert_eq!(refusal_state(CommandStatus(code)), SmsState::Invalid, "{code:#x}");
        }
        for code in [0x08, 0x0D, 0x45, 0x64, 0x65, 0xFF, 0x400] {
            assert_eq!(refusal_state(CommandStatus(code)), SmsState::Failed, "{code:#x}");
        }
    }

    #[test]
    fn the_text_holds_code_and_name() {
        let text = refusal_text(CommandStatus(0x0B), 1, 1);

        assert!(text.contains("ESME_RINVDSTADR") && text.contains("0B"), "{text}");
        assert!(refusal_text(CommandStatus(0x08), 2, 3).contains("segment 2 of 3"));
    }
}
