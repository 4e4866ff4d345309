//! Values on the command line of the simulator.

use std::time::Duration;

use smpp::codec::CommandStatus;
use smpp::smsc::{FinalState, IdChoice, IdFormat, ReceiptFormat, ReceiptShape, Span};

/// The words of SMPP 3.4 Appendix B.
const STATES: &str = "DELIVRD, EXPIRED, DELETED, UNDELIV, ACCEPTD, UNKNOWN, REJECTD or ENROUTE";

pub(super) fn time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| error.to_string())
}

pub(super) fn span(text: &str) -> Result<Span, String> {
    match text.split_once("..") {
        None => time(text).map(Span::exactly),
        Some((min, max)) => match (time(min)?, time(max)?) {
            (min, max) if min <= max => Ok(Span { min, max }),
            _ => Err("the shorter time comes first".to_owned()),
        },
    }
}

pub(super) fn outcome(text: &str) -> Result<(u32, FinalState), String> {
    let (word, weight) = text.split_once('=').unwrap_or((text, "1"));
    let weight = weight.parse().map_err(|_| "a weight is a whole number".to_owned())?;
    let state = FinalState::from_word(word, 0).ok_or_else(|| format!("one of {STATES} is expected"))?;
    Ok((weight, state))
}

pub(super) fn id_format(word: &str) -> Result<IdFormat, String> {
    match word {
        "decimal" => Ok(IdFormat::Decimal),
        "hex" => Ok(IdFormat::Hex),
        "upper-hex" => Ok(IdFormat::UpperHex),
        "padded" => Ok(IdFormat::Padded),
        _ => Err("one of decimal, hex, upper-hex, padded is expected".to_owned()),
    }
}

pub(super) fn receipt_format(word: &str) -> Result<ReceiptFormat, String> {
    match word {
        "text" => Ok(ReceiptFormat::Text),
        "tlv" => Ok(ReceiptFormat::Tlv),
        "both" => Ok(ReceiptFormat::Both),
        _ => Err("one of text, tlv, both is expected".to_owned()),
    }
}

pub(super) fn part(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|part| (0.0..=1.0).contains(part)).ok_or_else(|| "0 to 1 is expected".to_owned())
}

/// A kind of wrong id and how many get it.
pub(super) fn wrong_id(text: &str) -> Result<(IdChoice, f64), String> {
    let (kind, share) = text.split_once('=').unwrap_or((text, "1"));
    let kind = match kind {
        "another" => IdChoice::Another,
        "never-given" => IdChoice::NeverGiven,
        "empty" => IdChoice::Empty,
        _ => return Err("one of another, never-given, empty is expected".to_owned()),
    };
    Ok((kind, part(share)?))
}

/// A status and how long it is given.
pub(super) fn refusal(text: &str) -> Result<(CommandStatus, Option<Duration>), String> {
    let (name, until) = match text.split_once('=') {
        None => (text, None),
        Some((name, until)) => (name, Some(time(until)?)),
    };
    Ok((status(name)?, until))
}

/// A status and the part that gets it.
pub(super) fn refused(text: &str) -> Result<(CommandStatus, f64), String> {
    let (name, share) = text.split_once('=').unwrap_or((text, "1"));
    Ok((status(name)?, part(share)?))
}

fn status(name: &str) -> Result<CommandStatus, String> {
    match CommandStatus::from_name(name) {
        Some(status) if !status.is_ok() => Ok(status),
        _ => Err("a status of SMPP 3.4 is expected, such as RINVPASWD, RALYBND or RINVDSTADR".to_owned()),
    }
}

/// The shapes of that name; `all` is all of them.
pub(super) fn shapes(name: &str) -> Result<Vec<ReceiptShape>, String> {
    if name == "all" {
        return Ok(ReceiptShape::ALL.to_vec());
    }
    let names = || ReceiptShape::ALL.map(|shape| shape.name).join(", ");
    ReceiptShape::named(name).map(|shape| vec![shape]).ok_or_else(|| format!("all, or one of {}", names()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_one_or_two() {
        assert_eq!(span("20ms").unwrap(), Span::exactly(Duration::from_millis(20)));
        assert_eq!(
            span("10ms..2s").unwrap(),
            Span { min: Duration::from_millis(10), max: Duration::from_secs(2) }
        );
        for wrong in ["", "20", "2s..1s", "..", "1s.."] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn states_may_have_weights() {
        assert_eq!(outcome("DELIVRD").unwrap(), (1, FinalState::DELIVERED));
        assert_eq!(outcome("UNDELIV=3").unwrap(), (3, FinalState::from_word("UNDELIV", 0).unwrap()));
        for wrong in ["delivrd", "DELIVRD=", "DELIVRD=x", ""] {
            assert!(outcome(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn wrong_ids_have_a_kind_and_a_part() {
        assert_eq!(wrong_id("another=0.25"), Ok((IdChoice::Another, 0.25)));
        assert_eq!(wrong_id("empty"), Ok((IdChoice::Empty, 1.0)));
        for wrong in ["own=1", "another=2", "another=", ""] {
            assert!(wrong_id(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn refusals_may_end() {
        assert_eq!(refusal("RALYBND"), Ok((CommandStatus::RALYBND, None)));
        assert_eq!(
            refusal("ESME_RINVPASWD=30s"),
            Ok((CommandStatus::RINVPASWD, Some(Duration::from_secs(30))))
        );
        for wrong in ["ROK", "RNONSENSE", "RALYBND=", ""] {
            assert!(refusal(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shapes_have_names() {
        assert_eq!(shapes("bare").unwrap().len(), 1);
        assert_eq!(shapes("all").unwrap().len(), ReceiptShape::ALL.len());
        assert!(shapes("round").unwrap_err().contains("standard, seconds, "));
    }
}
