//! The loop-back client `test`: what its bodies ask for (spec §10). Nothing of it reaches an SMSC.

use SmsState::{Delivered, Expired, Failed, Invalid, Sent};
use common::models::sms::SmsState;

/// The client id whose requests loop back.
pub(crate) const CLIENT: &str = "test";

/// When a status is due after the one before it, or after the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The short delay.
    Normal,
    /// The long delay.
    Long,
}

/// What a body asks for: statuses in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    first: Option<SmsState>,
    second: Option<SmsState>,
    wait: Wait,
}

const fn script(first: Option<SmsState>, second: Option<SmsState>) -> Script {
    Script { first, second, wait: Wait::Normal }
}

/// Looked for in this order; the first that occurs anywhere in the body decides.
const MARKERS: [(&str, Script); 13] = [
    ("S0D0", script(None, None)),
    ("S0D1", script(Some(Delivered), None)),
    ("S1D0", script(Some(Sent), None)),
    ("S0X1", script(Some(Expired), None)),
    ("S0I1", script(Some(Invalid), None)),
    ("S1X1", script(Some(Sent), Some(Expired))),
    ("S1I1", script(Some(Sent), Some(Invalid))),
    ("S1D1", script(Some(Sent), Some(Delivered))),
    ("S2D0", script(Some(Sent), Some(Sent))),
    ("D1S1", script(Some(Delivered), Some(Sent))),
    ("S1F1", script(Some(Sent), Some(Failed))),
    ("F1S1", script(Some(Failed), Some(Sent))),
    ("FAIL", Script { first: Some(Failed), second: None, wait: Wait::Long }),
];

impl Script {
    /// Finds the marker of a body.
    pub(crate) fn of(body: &str) -> Self {
        MARKERS
            .iter()
            .find(|(marker, _)| body.contains(marker))
            .map_or(script(Some(Sent), Some(Delivered)), |(_, script)| *script)
    }

    /// Gives the statuses with their waits.
    pub(crate) fn steps(self) -> impl Iterator<Item = (Wait, SmsState)> {
        let first = self.first.map(|status| (self.wait, status));
        first.into_iter().chain(self.second.map(|status| (Wait::Long, status)))
    }
}

/// Gives the `error-text` of a looped status: those that never carry one have none.
pub(crate) fn error_text(status: SmsState) -> Option<&'static str> {
    match status {
        Sent | Delivered => None,
        Expired => Some("expired, as the test message asks"),
        Invalid => Some("invalid, as the test message asks"),
        Failed => Some("failed, as the test message asks"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statuses(body: &str) -> Vec<SmsState> {
        Script::of(body).steps().map(|(_, status)| status).collect()
    }

    #[test]
    fn each_marker_asks_for_its_statuses() {
        for (body, wanted) in [
            ("S0D0", vec![]),
            ("S0D1", vec![Delivered]),
            ("S1D0", vec![Sent]),
            ("S0X1", vec![Expired]),
            ("S0I1", vec![Invalid]),
            ("S1X1", vec![Sent, Expired]),
            ("S1I1", vec![Sent, Invalid]),
            ("S1D1", vec![Sent, Delivered]),
            ("S2D0", vec![Sent, Sent]),
            ("D1S1", vec![Delivered, Sent]),
            ("S1F1", vec![Sent, Failed]),
            ("F1S1", vec![Failed, Sent]),
            ("FAIL", vec![Failed]),
            ("no marker", vec![Sent, Delivered]),
            (" ", vec![Sent, Delivered]),
        ] {
            assert_eq!(statuses(body), wanted, "{body}");
        }
    }

    #[test]
    fn the_marker_may_stand_anywhere_and_case_counts() {
        assert_eq!(statuses("hello\nxS0X1x"), [Expired]);
        assert_eq!(statuses("s0x1"), [Sent, Delivered]);
    }

    #[test]
    fn the_table_decides_between_two_markers_not_the_body() {
        assert_eq!(statuses("FAIL S1D0"), [Sent]);
        assert_eq!(statuses("S1D1 S0D0"), []);
    }

    #[test]
    fn fail_waits_long_and_others_first_wait_normal() {
        assert_eq!(Script::of("FAIL").steps().collect::<Vec<_>>(), [(Wait::Long, Failed)]);
        assert_eq!(
            Script::of("S1D1").steps().collect::<Vec<_>>(),
            [(Wait::Normal, Sent), (Wait::Long, Delivered)]
        );
    }
}
