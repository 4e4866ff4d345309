//! Shapes of receipt texts. SMPP 3.4 Appendix B calls its own a typical example and no more, and SMSCs took it so.

use std::time::SystemTime;

use super::FinalState;
use crate::codec::MessageState;
use crate::codec::time::Civil;

/// A template of receipt texts. In it stand `{id}`, `{dlvrd}` (000 or 001), `{stat}` (DELIVRD), `{word}` (DELIVERED),
/// `{err}` (three digits), `{hex}` (0x000B), and `{submit10}`, `{done10}` with 10, 12 or 14 digits (`YYMMDDhhmm`, with
/// seconds, with century).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiptShape {
    /// Its name.
    pub name: &'static str,
    /// The text.
    pub template: &'static str,
    /// Whether the text travels in message_payload, with short_message empty.
    pub in_payload: bool,
}

const fn shape(name: &'static str, template: &'static str) -> ReceiptShape {
    ReceiptShape { name, template, in_payload: false }
}

/// What a receipt tells.
#[derive(Debug, Clone, Copy)]
pub(in crate::smsc) struct Facts<'a> {
    pub(in crate::smsc) id: &'a str,
    pub(in crate::smsc) end: FinalState,
    pub(in crate::smsc) submitted: SystemTime,
    pub(in crate::smsc) done: SystemTime,
}

impl ReceiptShape {
    /// The example of SMPP 3.4 Appendix B.
    pub const STANDARD: Self = shape(
        "standard",
        "id:{id} sub:001 dlvrd:{dlvrd} submit date:{submit10} done date:{done10} stat:{stat} err:{err} text:",
    );

    /// All that have a name.
    pub const ALL: [Self; 14] = [
        Self::STANDARD,
        shape(
            "seconds",
            "id:{id} sub:001 dlvrd:{dlvrd} submit date:{submit12} done date:{done12} stat:{stat} err:{err} Text:",
        ),
        shape(
            "century",
            "id:{id} sub:001 dlvrd:{dlvrd} submit date:{submit14} done date:{done14} stat:{stat} err:{err} text:",
        ),
        shape("bare", "id:{id} stat:{stat}"),
        shape("no-counts", "id:{id} submit date:{submit10} done date:{done10} stat:{stat} err:{err} Text:"),
        shape(
            "upper",
            "ID:{id} SUB:001 DLVRD:{dlvrd} SUBMIT DATE:{submit10} DONE DATE:{done10} STAT:{stat} ERR:{err} TEXT:",
        ),
        shape(
            "reordered",
            "stat:{stat} err:{err} done date:{done10} submit date:{submit10} id:{id} dlvrd:{dlvrd} sub:001",
        ),
        shape(
            "underscores",
            "id:{id} sub:001 dlvrd:{dlvrd} submit_date:{submit12} done_date:{done12} stat:{stat} err:{err} text:",
        ),
        shape(
            "blanks",
            "id: {id} sub: 001 dlvrd: {dlvrd} submit date: {submit10} done date: {done10} stat: {stat} err: {err} text: ",
        ),
        shape("commas", "id:{id}, sub:001, dlvrd:{dlvrd}, stat:{stat}, err:{err}"),
        shape(
            "lines",
            "id:{id}\nsub:001\ndlvrd:{dlvrd}\nsubmit date:{submit10}\ndone date:{done10}\nstat:{stat}\nerr:{err}\n",
        ),
        shape(
            "words",
            "id:{id} sub:001 dlvrd:{dlvrd} submit date:{submit12} done date:{done12} stat:{word} err:{hex} text:",
        ),
        shape(
            "vendor",
            "id:{id} sub:001 dlvrd:{dlvrd} submit date:{submit10} done date:{done10} stat:{stat} err:{err} \
             imsi:0 mccmnc:64004 text:id:0 stat:REJECTD",
        ),
        Self { name: "payload", in_payload: true, ..Self::STANDARD },
    ];

    /// Gives the shape of that name; `None` for other names.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shape| shape.name == name)
    }

    pub(in crate::smsc) fn write(&self, facts: Facts<'_>) -> String {
        let FinalState { state, err } = facts.end;
        let dlvrd = u8::from(state == MessageState::Delivered);
        let mut text = self
            .template
            .replace("{dlvrd}", &format!("{dlvrd:03}"))
            .replace("{stat}", state.word())
            .replace("{word}", long_word(state))
            .replace("{err}", &format!("{err:03}"))
            .replace("{hex}", &format!("0x{err:04X}"));
        for (name, time) in [("submit", facts.submitted), ("done", facts.done)] {
            let digits = digits(time);
            text = text
                .replace(&format!("{{{name}10}}"), digits.get(2..12).unwrap_or_default())
                .replace(&format!("{{{name}12}}"), digits.get(2..).unwrap_or_default())
                .replace(&format!("{{{name}14}}"), &digits);
        }
        // Last, so that no id is taken for a placeholder.
        text.replace("{id}", facts.id)
    }
}

fn long_word(state: MessageState) -> &'static str {
    match state {
        MessageState::Delivered => "DELIVERED",
        MessageState::Undeliverable => "UNDELIVERABLE",
        MessageState::Accepted => "ACCEPTED",
        MessageState::Rejected => "REJECTED",
        other => other.word(),
    }
}

/// `YYYYMMDDhhmmss` in UTC.
fn digits(time: SystemTime) -> String {
    let Civil { year, month, day, hour, minute, second } = Civil::of(time);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn facts(id: &str) -> Facts<'_> {
        let submitted = UNIX_EPOCH + Duration::from_secs(1_795_257_432);
        let end = FinalState { state: MessageState::Undeliverable, err: 11 };
        Facts { id, end, submitted, done: submitted + Duration::from_secs(60) }
    }

    #[test]
    fn standard_shape_is_that_of_the_specification() {
        assert_eq!(
            ReceiptShape::STANDARD.write(facts("4d2")),
            "id:4d2 sub:001 dlvrd:000 submit date:2611211037 done date:2611211038 stat:UNDELIV err:011 text:"
        );
    }

    #[test]
    fn shapes_differ_in_dates_words_and_codes() {
        let write = |name| ReceiptShape::named(name).unwrap().write(facts("7"));

        assert!(write("seconds").contains("done date:261121103812 "));
        assert!(write("century").contains("submit date:20261121103712 "));
        assert!(write("words").contains("stat:UNDELIVERABLE err:0x000B "));
        assert_eq!(write("bare"), "id:7 stat:UNDELIV");
        assert!(write("upper").starts_with("ID:7 "));
    }

    #[test]
    fn every_shape_has_a_name_and_a_text_of_its_own_that_fits() {
        let texts: HashSet<_> =
            ReceiptShape::ALL.iter().map(|shape| (shape.write(facts("7")), shape.in_payload)).collect();
        let names: HashSet<_> = ReceiptShape::ALL.iter().map(|shape| shape.name).collect();

        assert_eq!((texts.len(), names.len()), (ReceiptShape::ALL.len(), ReceiptShape::ALL.len()));
        for (text, _) in texts {
            assert!(!text.contains(['{', '}']) && text.len() < 254, "{text}");
        }
    }
}
