//! Binds: refused, too many, and what a good one is told.

use std::time::Duration;

use crate::codec::CommandStatus;

/// How the simulator answers binds, beside checking who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binds {
    /// Refuses every bind with this status, whoever asks.
    pub refuse: Option<CommandStatus>,
    /// How long after the simulator's start; `None` for ever.
    pub refuse_for: Option<Duration>,
    /// Most binds of one system_id at a time; one more is refused with [`CommandStatus::RALYBND`].
    pub most: Option<usize>,
    /// The version named in the answer to an ESME that may get optional parameters (SMPP 3.4 §5.2.25); `None` for none.
    pub sc_interface_version: Option<u8>,
}

impl Default for Binds {
    fn default() -> Self {
        Self { refuse: None, refuse_for: None, most: None, sc_interface_version: Some(0x34) }
    }
}

impl Binds {
    /// Gives the refusal, if one is due at an age of the simulator with so many binds of that system_id.
    pub(in crate::smsc) fn refusal(&self, age: Duration, bound: usize) -> Option<CommandStatus> {
        let refused = self.refuse.filter(|_| self.refuse_for.is_none_or(|end| age < end));
        refused.or(self.most.filter(|&most| bound >= most).map(|_| CommandStatus::RALYBND))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binds_are_refused_for_a_time_or_for_ever() {
        const WRONG: CommandStatus = CommandStatus::RINVPASWD;
        let ages = [0, 999, 1000, 1001].map(Duration::from_millis);
        let for_ever = Binds { refuse: Some(WRONG), ..Binds::default() };
        let for_a_second = Binds { refuse_for: Some(Duration::from_secs(1)), ..for_ever.clone() };

        assert_eq!(ages.map(|age| for_ever.refusal(age, 0)), [Some(WRONG); 4]);
        assert_eq!(ages.map(|age| for_a_second.refusal(age, 0)), [Some(WRONG), Some(WRONG), None, None]);
    }
}
