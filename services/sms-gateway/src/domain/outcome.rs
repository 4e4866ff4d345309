//! What a refusal means for the client (spec §8.4, §9).

use common::models::sms::SmsState;
use smpp::codec::CommandStatus;

/// Why a segment was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// What an SMSC answered. Throttling is no refusal and does not come here.
    Status(CommandStatus),
    /// What a provider answered over HTTP, in words that may be shown.
    Answer(String),
}

impl From<CommandStatus> for Refusal {
    fn from(status: CommandStatus) -> Self {
        Self::Status(status)
    }
}

impl Refusal {
    /// Tells the status that it leads to. Providers use their codes as they like: theirs is FAILED (spec §9).
    pub(crate) fn state(&self) -> SmsState {
        match self {
            Self::Status(
                CommandStatus::RINVMSGLEN
                | CommandStatus::RINVSRCADR
                | CommandStatus::RINVSRCTON
                | CommandStatus::RINVSRCNPI
                | CommandStatus::RINVDSTADR
                | CommandStatus::RINVDSTTON
                | CommandStatus::RINVDSTNPI
                | CommandStatus::RINVSCHED
                | CommandStatus::RINVEXPIRY,
            ) => SmsState::Invalid,
            _ => SmsState::Failed,
        }
    }

    /// Gives the `error-text`: code and name, and which segment if there are several.
    pub(crate) fn text(&self, part: i32, segments: i32) -> String {
        match (self, segments) {
            (Self::Answer(text), _) => text.clone(),
            (Self::Status(status), 1) => format!("the SMSC refused the message: {status}"),
            (Self::Status(status), _) => format!("the SMSC refused segment {part} of {segments}: {status}"),
        }
    }

    /// Gives the code that tables hold. An answer in words has none: they are in the status that it led to.
    pub(crate) fn code(&self) -> Option<i64> {
        match self {
            Self::Status(status) => Some(status.0.into()),
            Self::Answer(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_length_and_time_errors_are_the_requests_fault() {
        for code in [0x01, 0x0A, 0x0B, 0x48, 0x49, 0x50, 0x51, 0x61, 0x62] {
            assert_eq!(Refusal::from(CommandStatus(code)).state(), SmsState::Invalid, "{code:#x}");
        }
        for code in [0x08, 0x0D, 0x45, 0x64, 0x65, 0xFF, 0x400] {
            assert_eq!(Refusal::from(CommandStatus(code)).state(), SmsState::Failed, "{code:#x}");
        }
    }

    #[test]
    fn the_text_holds_code_and_name() {
        let text = Refusal::from(CommandStatus(0x0B)).text(1, 1);

        assert!(text.contains("ESME_RINVDSTADR") && text.contains("0B"), "{text}");
        assert!(Refusal::from(CommandStatus(0x08)).text(2, 3).contains("segment 2 of 3"));
    }

    #[test]
    fn an_answer_in_words_fails_the_message_and_is_told_as_it_is() {
        let refusal = Refusal::Answer("HTTP 400".into());

        assert_eq!(
            (refusal.state(), refusal.text(1, 1), refusal.code()),
            (SmsState::Failed, "HTTP 400".into(), None)
        );
    }
}
