//! Whose turn it is among the SMSCs of a route, so that over time each gets its part (stride scheduling).

use std::collections::HashMap;

use common::models::UnixMillis;
use common::models::sms::SmscName;

use super::Share;

/// The turns of one route.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    shares: Vec<Share>,
    /// SMSCs that could take messages and have no part of them, in order of preference.
    spare: Vec<SmscName>,
    /// When each could last take messages.
    usable_at: HashMap<SmscName, UnixMillis>,
    /// Segments each one got, each counted the higher the smaller its part was: the least is next.
    passes: HashMap<SmscName, f64>,
}

impl Turns {
    /// Takes the parts that hold from now on, and who could help out. Who had no part before is owed nothing for that
    /// time.
    pub(crate) fn share(&mut self, shares: Vec<Share>, spare: Vec<SmscName>, now: UnixMillis) {
        let usable = shares.iter().map(|share| &share.smsc).chain(&spare);
        self.usable_at.extend(usable.map(|smsc| (smsc.clone(), now)));
        let stays = |share: &&Share| self.shares.iter().any(|before| before.smsc == share.smsc);
        let reached = shares.iter().filter(stays).map(|share| self.pass(&share.smsc)).reduce(f64::min);
        let ahead = self.passes.values().copied().fold(0.0, f64::max);
        let mut passes = HashMap::with_capacity(shares.len());
        for share in &shares {
            let pass = match stays(&share) {
                true => self.pass(&share.smsc),
                false => self.pass(&share.smsc).max(reached.unwrap_or(ahead)),
            };
            passes.insert(share.smsc.clone(), pass);
        }
        // Others keep what they had: they may be back soon.
        for (smsc, pass) in std::mem::take(&mut self.passes) {
            passes.entry(smsc).or_insert(pass);
        }
        (self.passes, self.shares, self.spare) = (passes, shares, spare);
    }

    /// Tells whose turn it is.
    pub(crate) fn next(&self) -> Option<&SmscName> {
        self.first(|_| true)
    }

    /// Gives one that a message may go to that was nobody's turn: one that was not `tried`, if there is one.
    pub(crate) fn detour(&self, tried: &[SmscName]) -> Option<&SmscName> {
        let fresh = |smsc: &SmscName| !tried.contains(smsc);
        self.first(fresh).or_else(|| self.spare.iter().find(|smsc| fresh(smsc)))
    }

    /// Tells whether any that was not `tried` could take messages since then.
    pub(crate) fn had_another(&self, tried: &[SmscName], since: UnixMillis) -> bool {
        self.usable_at.iter().any(|(smsc, at)| *at > since && !tried.contains(smsc))
    }

    fn first(&self, may: impl Fn(&SmscName) -> bool) -> Option<&SmscName> {
        let candidates = self.shares.iter().map(|share| &share.smsc).filter(|smsc| may(smsc));
        candidates.min_by(|one, other| self.pass(one).total_cmp(&self.pass(other)))
    }

    /// Notes that an SMSC was given segments.
    pub(crate) fn took(&mut self, smsc: &SmscName, segments: usize) {
        let Some(share) = self.shares.iter().find(|share| share.smsc == *smsc) else { return };
        *self.passes.entry(smsc.clone()).or_default() += segments as f64 / share.part;
    }

    /// Takes back that an SMSC was given a segment.
    pub(crate) fn put_back(&mut self, smsc: &SmscName) {
        let Some(share) = self.shares.iter().find(|share| share.smsc == *smsc) else { return };
        *self.passes.entry(smsc.clone()).or_default() -= 1.0 / share.part;
    }

    fn pass(&self, smsc: &SmscName) -> f64 {
        self.passes.get(smsc).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shares(parts: &[(&str, f64)]) -> Vec<Share> {
        parts.iter().map(|(smsc, part)| Share { smsc: (*smsc).into(), part: *part }).collect()
    }

    fn send(turns: &mut Turns, messages: usize, segments: usize) -> HashMap<String, usize> {
        let mut sent = HashMap::new();
        for _ in 0..messages {
            let smsc = turns.next().unwrap().clone();
            turns.took(&smsc, segments);
            *sent.entry(smsc.to_string()).or_default() += 1;
        }
        sent
    }

    #[test]
    fn who_was_away_gets_its_part_again_and_nothing_more() {
        let mut turns = Turns::default();
        turns.share(shares(&[("a", 0.5), ("b", 0.5)]), Vec::new(), UnixMillis(0));
        send(&mut turns, 10, 1);
        turns.share(shares(&[("b", 1.0)]), Vec::new(), UnixMillis(0));
        assert_eq!(send(&mut turns, 1_000, 1)["b"], 1_000);

        turns.share(shares(&[("a", 0.5), ("b", 0.5)]), Vec::new(), UnixMillis(0));

        let sent = send(&mut turns, 100, 1);
        assert!((49..=51).contains(&sent["a"]), "{sent:?}");
    }

    #[test]
    fn a_detour_leads_to_those_beside_and_then_to_the_spare_ones() {
        let mut turns = Turns::default();
        turns.share(shares(&[("a", 0.9), ("b", 0.1)]), ["c", "d"].map(Into::into).to_vec(), UnixMillis(0));
        let detour = |tried: &[&str]| {
            let tried: Vec<SmscName> = tried.iter().map(|smsc| (*smsc).into()).collect();
            turns.detour(&tried).map(SmscName::as_str)
        };

        assert_eq!((detour(&["a"]), detour(&["a", "b"])), (Some("b"), Some("c")));
        assert_eq!((detour(&["a", "b", "c"]), detour(&["a", "b", "c", "d"])), (Some("d"), None));
    }

    proptest! {
        #[test]
        fn each_gets_its_part_to_within_one_message(
            weights in proptest::collection::vec(1u32..20, 1..6),
            messages in 1usize..2_000,
            segments in 1usize..5,
        ) {
            let total: u32 = weights.iter().sum();
            let parts: Vec<(String, f64)> = (0..).zip(&weights)
                .map(|(number, weight): (u32, _)| (number.to_string(), f64::from(*weight) / f64::from(total)))
                .collect();
            let mut turns = Turns::default();
            let named: Vec<(&str, f64)> = parts.iter().map(|(name, part)| (name.as_str(), *part)).collect();
            turns.share(shares(&named), Vec::new(), UnixMillis(0));

            let sent = send(&mut turns, messages, segments);

            for (name, part) in &parts {
                let due = part * messages as f64;
                let got = sent.get(name).copied().unwrap_or_default() as f64;
                prop_assert!((got - due).abs() <= weights.len() as f64, "{name}: {got} of {due}");
            }
        }
    }
}
