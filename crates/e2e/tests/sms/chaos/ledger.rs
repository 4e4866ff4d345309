//! Both sides of the account: what the SMSC has written down, and what clients were told.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;

use common::models::sms::{SmsState, SmsStatus};
use smpp::codec::MessageState;
use smpp::smsc::Verdict;

use super::storm::{Storm, Whim};
use crate::run::{self, Account, Segment, UNDER_WAY, WINDOW, correl, segment, segments};

/// How messages have ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) delivered: usize,
    /// FAILED by a refusal or a receipt, or INVALID.
    pub(crate) failed: usize,
    /// FAILED, "outcome unknown", and nothing after it.
    pub(crate) unknown: usize,
    /// SENT, and the SMSC withholds the receipt.
    pub(crate) without_receipt: usize,
    /// Told as unknown at first, and corrected.
    corrected: usize,
    /// Segments that the SMSC has accepted, and submissions that it was asked for.
    accepted: usize,
    asked: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { delivered, failed, unknown, without_receipt, corrected, accepted, asked } = self;
        write!(
            f,
            "{delivered} delivered + {failed} failed + {unknown} unknown + {without_receipt} without a receipt \
             ({corrected} corrected); {accepted} segments accepted of {asked} submissions"
        )
    }
}

/// What the SMSC knows of one accepted segment.
struct Entry {
    state: MessageState,
    /// Its receipt was answered OK.
    acknowledged: bool,
}

/// The SMSC's own table.
pub(crate) struct Ledger {
    seed: u64,
    accepted: HashMap<Segment, Entry>,
    refused: HashSet<Segment>,
    asked: usize,
    disconnects: usize,
}

impl Ledger {
    /// Reads it, and checks that no segment is in it twice.
    pub(crate) fn of(storm: &Storm) -> Self {
        // Before the lock, which the simulator takes while it decides.
        let table = storm.smsc.accepted();
        let seen = storm.seen.lock().unwrap();
        run::assert_nothing_is_sent_twice(&seen.asked);
        let mut accepted = HashMap::new();
        for one in table {
            let segment = segment(&one.message);
            let acknowledged = seen.acknowledged.contains_key(&one.message_id);
            let before = accepted.insert(segment, Entry { state: one.state, acknowledged });
            assert!(before.is_none(), "segment {segment:?} was accepted twice");
        }
        let refused = seen
            .asked
            .iter()
            .filter(|(_, verdict)| matches!(verdict, Verdict::Refuse(status) if !status.is_throttle()));
        Self {
            seed: storm.seed,
            accepted,
            refused: refused.map(|(segment, _)| *segment).collect(),
            asked: seen.asked.len(),
            disconnects: seen.asked.iter().filter(|(_, verdict)| *verdict == Verdict::Disconnect).count(),
        }
    }

    /// How many outcomes can be unknown at most: those that the SMSC kept to itself, what was under way at each kill of a
    /// gateway, and a window at each end of a connection.
    pub(crate) fn may_be_unknown(&self, sends: &BTreeSet<usize>, kills: usize, deaths: usize) -> usize {
        let kept = [Verdict::AcceptSilently, Verdict::Lose, Verdict::Disconnect];
        let keeps = |segment| kept.contains(&Whim::of(self.seed, segment).verdict);
        let kept = sends.iter().filter(|index| Self::parts(**index).any(keeps)).count();
        kept + kills * UNDER_WAY + (deaths + self.disconnects) * WINDOW
    }

    fn parts(index: usize) -> impl Iterator<Item = Segment> {
        (1..=segments(index)).map(move |part| (index, u8::try_from(part).unwrap()))
    }

    /// Whether the SMSC keeps back a receipt without which the message cannot end.
    fn is_mute(&self, index: usize) -> bool {
        Self::parts(index).any(|segment| Whim::of(self.seed, segment).is_mute())
    }

    /// Whether the SMSC has accepted every part.
    fn has_all(&self, index: usize) -> bool {
        Self::parts(index).all(|segment| self.accepted.contains_key(&segment))
    }

    /// Whether the SMSC has accepted a part and not delivered it.
    fn is_undelivered(&self, index: usize) -> bool {
        let undelivered = |entry: &Entry| entry.state != MessageState::Delivered;
        Self::parts(index).any(|segment| self.accepted.get(&segment).is_some_and(undelivered))
    }

    /// Each status comes once: the receipt of a message that was not delivered says nothing new of one that was FAILED,
    /// "outcome unknown", before a late answer made it SENT.
    fn is_failed_already(&self, index: usize, story: &[SmsStatus]) -> bool {
        story.first().is_some_and(run::is_unknown) && self.is_undelivered(index)
    }

    /// The messages that have not come as far as they can, and what was told of them.
    pub(crate) fn open(&self, account: &Account, sends: &BTreeSet<usize>) -> Vec<String> {
        let is_open = |index: &&usize| match account.story(**index).last() {
            None => true,
            // Its receipts tell of it, as nobody else has its number; unless they say nothing new.
            Some(last) if run::is_unknown(last) => {
                self.has_all(**index) && !self.is_mute(**index) && !self.is_undelivered(**index)
            }
            Some(last) => {
                last.sms_status == SmsState::Sent
                    && !self.is_mute(**index)
                    && !self.is_failed_already(**index, account.story(**index))
            }
        };
        let shown = |index: &usize| format!("{}: {:?}", correl(*index), account.states(*index));
        sends.iter().filter(is_open).map(shown).collect()
    }

    /// Checks every message; gives the sums.
    pub(crate) fn settle(&self, account: &Account, sends: &BTreeSet<usize>) -> Tally {
        assert_eq!(&account.sends(), sends, "every message has a story, and nothing else has");
        let mut tally = Tally { accepted: self.accepted.len(), asked: self.asked, ..Tally::default() };
        for &index in sends {
            self.enter(index, account.story(index), &mut tally);
        }
        let Tally { delivered, failed, unknown, without_receipt, .. } = tally;
        assert_eq!(delivered + failed + unknown + without_receipt, sends.len());
        tally
    }

    fn enter(&self, index: usize, story: &[SmsStatus], tally: &mut Tally) {
        let name = correl(index);
        let states: Vec<SmsState> = story.iter().map(|status| status.sms_status).collect();
        let distinct: HashSet<_> = states.iter().map(ToString::to_string).collect();
        assert_eq!(distinct.len(), states.len(), "{name}: a status came twice: {states:?}");
        let unsure = story.first().is_some_and(run::is_unknown);
        let rest = &states[usize::from(unsure)..];
        assert_order(&name, unsure, rest);
        tally.corrected += usize::from(unsure && !rest.is_empty());
        let failed_already = self.is_failed_already(index, story);
        if rest.contains(&SmsState::Sent) {
            self.assert_sent(index, rest, failed_already);
        }
        match rest.last() {
            None => tally.unknown += 1,
            Some(SmsState::Sent) if failed_already => tally.failed += 1,
            Some(SmsState::Sent) => tally.without_receipt += 1,
            Some(SmsState::Delivered) => tally.delivered += 1,
            Some(_) => {
                let refused = Self::parts(index).any(|segment| self.refused.contains(&segment));
                let reason = refused || self.is_undelivered(index);
                assert!(reason, "{name} is {states:?}, and the SMSC knows no reason");
                tally.failed += 1;
            }
        }
    }

    /// SENT means that the SMSC has it all; and what it has reported of it, and was thanked for, is told.
    fn assert_sent(&self, index: usize, rest: &[SmsState], failed_already: bool) {
        let name = correl(index);
        let entry = |segment| {
            self.accepted.get(&segment).unwrap_or_else(|| panic!("{name} is {rest:?}: {segment:?}"))
        };
        let entries: Vec<&Entry> = Self::parts(index).map(entry).collect();
        let delivered = entries.iter().all(|entry| entry.state == MessageState::Delivered);
        let reported = entries.iter().all(|entry| entry.acknowledged);
        match rest {
            [SmsState::Sent] => {
                assert!(!reported || failed_already, "{name}: its receipts were thanked for and lost")
            }
            [SmsState::Sent, SmsState::Delivered] => assert!(delivered, "{name} was not delivered"),
            _ => assert!(!delivered, "{name} is {rest:?}, and was delivered"),
        }
    }
}

/// What may be told of a message, in this order.
fn assert_order(name: &str, unsure: bool, rest: &[SmsState]) {
    use SmsState::{Delivered, Failed, Invalid, Sent};
    let orderly: &[&[SmsState]] = &[&[Sent], &[Sent, Delivered], &[Sent, Failed], &[Invalid], &[Failed]];
    let is_orderly = orderly.contains(&rest) || (unsure && rest.is_empty());
    assert!(is_orderly, "{name}: unknown at first: {unsure}; then {rest:?}");
}
