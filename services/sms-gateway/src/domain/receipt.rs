//! Delivery receipts: what they say about a segment.

use common::models::sms::SmsState;
use sms::receipt::ReceiptState;

/// What a receipt says about a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    /// `None`: on its way, nothing is decided.
    state: Option<SmsState>,
    text: Option<String>,
}

/// Name under which tables hold a fate that decides nothing.
const UNDERWAY: &str = "UNDERWAY";

impl Fate {
    /// Translates a receipt's state and error code (spec §8.5). The code comes from outside: what does not look like
    /// one is left out of the text.
    pub(crate) fn of(state: ReceiptState, error: Option<&str>) -> Self {
        let error = error.filter(|code| {
            (1..=16).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        let with_error = |what: &str| {
            Some(match error {
                Some(code) => format!("{what}, error {code}"),
                None => what.to_owned(),
            })
        };
        let (state, text) = match state {
            ReceiptState::Accepted | ReceiptState::Enroute => (None, None),
            ReceiptState::Delivered => (Some(SmsState::Delivered), None),
            ReceiptState::Expired => (Some(SmsState::Expired), None),
            ReceiptState::Deleted => (Some(SmsState::Failed), with_error("deleted at the SMSC")),
            ReceiptState::Undeliverable => (Some(SmsState::Failed), with_error("undeliverable")),
            ReceiptState::Unknown => (Some(SmsState::Failed), with_error("the SMSC does not know the state")),
            ReceiptState::Rejected => (Some(SmsState::Invalid), with_error("rejected by the SMSC")),
            ReceiptState::Unrecognised => {
                (Some(SmsState::Failed), with_error("unknown state in the receipt"))
            }
        };
        Self { state, text }
    }

    /// Gives the status that it means, `None` if nothing is decided.
    pub(crate) fn state(&self) -> Option<SmsState> {
        self.state
    }

    /// Gives the text for people.
    pub(crate) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// Gives the form that tables hold.
    pub(crate) fn to_columns(&self) -> (&'static str, Option<&str>) {
        (self.state.map_or(UNDERWAY, SmsState::as_str), self.text())
    }

    /// Reads what [`Fate::to_columns`] gave; a word that is none counts as undecided.
    pub(crate) fn from_columns(state: &str, text: Option<String>) -> Self {
        Self { state: state.parse().ok(), text }
    }

    /// Tells whether a later receipt replaces this one: a decision replaces none, "delivered" corrects a bad end.
    pub(crate) fn yields_to(&self, later: &Self) -> bool {
        match (self.state, later.state) {
            (None, _) => true,
            (Some(SmsState::Delivered), _) | (Some(_), None) => false,
            (Some(_), Some(later)) => later == SmsState::Delivered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(ReceiptState, Option<SmsState>); 9] = [
        (ReceiptState::Accepted, None),
        (ReceiptState::Enroute, None),
        (ReceiptState::Delivered, Some(SmsState::Delivered)),
        (ReceiptState::Expired, Some(SmsState::Expired)),
        (ReceiptState::Deleted, Some(SmsState::Failed)),
        (ReceiptState::Undeliverable, Some(SmsState::Failed)),
        (ReceiptState::Unknown, Some(SmsState::Failed)),
        (ReceiptState::Rejected, Some(SmsState::Invalid)),
        (ReceiptState::Unrecognised, Some(SmsState::Failed)),
    ];

    #[test]
    fn each_state_means_its_status_and_failures_have_a_text() {
        for (state, status) in ALL {
            let fate = Fate::of(state, Some("012"));
            assert_eq!(fate.state(), status, "{state:?}");
            let failed = matches!(status, Some(SmsState::Failed | SmsState::Invalid));
            assert_eq!(fate.text().is_some_and(|text| text.contains("error 012")), failed, "{state:?}");
        }
    }

    #[test]
    fn an_error_that_is_no_code_stays_out_of_the_text() {
        for error in ["your text was: hello", "", "12345678901234567"] {
            assert_eq!(
                Fate::of(ReceiptState::Undeliverable, Some(error)),
                Fate::of(ReceiptState::Undeliverable, None)
            );
        }
    }

    #[test]
    fn delivered_corrects_and_nothing_corrects_delivered() {
        let fate = |state| Fate::of(state, None);
        let undelivered = fate(ReceiptState::Undeliverable);

        assert!(fate(ReceiptState::Enroute).yields_to(&undelivered));
        assert!(undelivered.yields_to(&fate(ReceiptState::Delivered)));
        assert!(!undelivered.yields_to(&fate(ReceiptState::Expired)));
        assert!(!fate(ReceiptState::Delivered).yields_to(&undelivered));
        assert!(!undelivered.yields_to(&fate(ReceiptState::Enroute)));
    }

    #[test]
    fn columns_keep_a_fate() {
        for (state, _) in ALL {
            let fate = Fate::of(state, Some("0FE"));
            let (column, text) = fate.to_columns();

            assert_eq!(Fate::from_columns(column, text.map(str::to_owned)), fate);
        }
    }
}
