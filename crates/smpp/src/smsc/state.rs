//! What all connections of a simulator share: behaviour, log, receipts that wait.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::behaviour::{Behaviour, Plan, Verdict};
use super::{Account, Hook, SmscSettings, receipt};
use crate::codec::{Bind, CommandStatus, DeliverSm, SubmitSm};
use crate::random::Random;

/// A message that the simulator has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Who submitted it.
    pub system_id: String,
    /// The id it got.
    pub message_id: String,
    /// The message, as it came.
    pub message: SubmitSm,
    /// What becomes of it.
    pub state: u8,
}

/// Counters of a simulator since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SmscCounts {
    /// Messages accepted.
    pub accepted: u64,
    /// Messages refused.
    pub refused: u64,
    /// Sessions bound now.
    pub bound: usize,
    /// Binds accepted.
    pub binds: u64,
    /// Receipts and messages delivered and answered with status 0.
    pub delivered: u64,
    /// enquire_link requests answered.
    pub enquiries: u64,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmscEvent {
    /// A session was bound.
    Bound {
        /// By whom.
        system_id: String,
    },
    /// A bind was refused.
    BindRefused {
        /// To whom.
        system_id: String,
        /// With what.
        status: CommandStatus,
    },
    /// A bound session ended.
    Unbound {
        /// Whose.
        system_id: String,
    },
    /// A message was accepted.
    Accepted(Accepted),
    /// A message was refused.
    Refused {
        /// To whom.
        system_id: String,
        /// With what.
        status: CommandStatus,
    },
    /// A receipt or message was answered.
    Delivered {
        /// By whom.
        system_id: String,
        /// What was delivered.
        message: DeliverSm,
        /// The answer; anything but 0 brings it again.
        status: CommandStatus,
    },
}

/// What a submit_sm comes to.
pub(super) struct Decision {
    pub(super) plan: Plan,
    pub(super) message_id: String,
    /// This was the last message before death.
    pub(super) fatal: bool,
}

pub(super) struct State {
    pub(super) behaviour: Behaviour,
    pub(super) log: VecDeque<Accepted>,
    random: Random,
    submissions: u64,
    accepted: u64,
    /// By system_id; the number keeps two of one moment apart.
    waiting: HashMap<String, BTreeMap<(Instant, u64), DeliverSm>>,
    enqueued: u64,
    /// Start of the current second of [`Behaviour::tps`], and how many were taken in it.
    second: (Instant, u32),
}

pub(super) struct Shared {
    pub(super) system_id: String,
    pub(super) counts: watch::Sender<SmscCounts>,
    /// Changes whenever something waits to be delivered.
    pub(super) arrivals: watch::Sender<u64>,
    accounts: Vec<Account>,
    hook: Option<Hook>,
    keep: usize,
    state: Mutex<State>,
}

impl Shared {
    pub(super) fn new(settings: SmscSettings) -> Self {
        let state = State {
            behaviour: settings.behaviour,
            log: VecDeque::new(),
            random: Random::seeded(settings.seed),
            submissions: 0,
            accepted: 0,
            waiting: HashMap::new(),
            enqueued: 0,
            second: (Instant::now(), 0),
        };
        Self {
            system_id: settings.system_id,
            counts: watch::Sender::new(SmscCounts::default()),
            arrivals: watch::Sender::new(0),
            accounts: settings.accounts,
            hook: settings.hook,
            keep: settings.keep,
            state: Mutex::new(state),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut SmscCounts)) {
        self.counts.send_modify(change);
    }

    pub(super) fn tell(&self, event: impl FnOnce() -> SmscEvent) {
        if let Some(hook) = &self.hook {
            hook(&event());
        }
    }

    pub(super) fn judge_bind(&self, bind: &Bind) -> CommandStatus {
        let account = self.accounts.iter().find(|account| account.system_id == bind.system_id);
        match account {
            _ if self.accounts.is_empty() => CommandStatus::ROK,
            None => CommandStatus::RINVSYSID,
            Some(account) if account.password.expose() == bind.password => CommandStatus::ROK,
            Some(_) => CommandStatus::RINVPASWD,
        }
    }

    /// Decides on a submission, writes it down, and plans its receipt.
    pub(super) fn submit(&self, system_id: &str, message: SubmitSm) -> Decision {
        let mut state = self.lock();
        let decision = state.decide(&message);
        if !matches!(decision.plan.verdict, Verdict::Accept | Verdict::AcceptSilently) {
            drop(state);
            self.count(|counts| counts.refused += 1);
            if let Verdict::Refuse(status) = decision.plan.verdict {
                self.tell(|| SmscEvent::Refused { system_id: system_id.to_owned(), status });
            }
            return decision;
        }
        if state.log.len() >= self.keep {
            state.log.pop_front();
        }
        let receipt = state.receipt(&message, &decision);
        let accepted = Accepted {
            system_id: system_id.to_owned(),
            message_id: decision.message_id.clone(),
            message,
            state: decision.plan.state.state,
        };
        self.tell(|| SmscEvent::Accepted(accepted.clone()));
        state.log.push_back(accepted);
        drop(state);
        self.count(|counts| counts.accepted += 1);
        if let Some(receipt) = receipt {
            self.enqueue(system_id, decision.plan.receipt_delay, receipt);
        }
        decision
    }

    /// Keeps something until a receiver of that system_id is there.
    pub(super) fn enqueue(&self, system_id: &str, delay: Duration, message: DeliverSm) {
        let mut state = self.lock();
        state.enqueued += 1;
        let key = (Instant::now() + delay, state.enqueued);
        state.waiting.entry(system_id.to_owned()).or_default().insert(key, message);
        drop(state);
        self.arrivals.send_modify(|version| *version += 1);
    }

    /// Takes at most `most` things that are due, and tells when the next is.
    pub(super) fn due(&self, system_id: &str, most: usize) -> (Vec<DeliverSm>, Option<Instant>) {
        let mut state = self.lock();
        let Some(waiting) = state.waiting.get_mut(system_id) else { return (Vec::new(), None) };
        let now = Instant::now();
        let mut due = Vec::new();
        while due.len() < most
            && let Some(entry) = waiting.first_entry()
            && entry.key().0 <= now
        {
            due.push(entry.remove());
        }
        (due, waiting.first_key_value().map(|(&(at, _), _)| at))
    }

    pub(super) fn retry_delay(&self) -> Duration {
        let fallback = super::Receipts::default().retry;
        self.lock().behaviour.receipts.as_ref().map_or(fallback, |receipts| receipts.retry)
    }

    /// Gives the state of an accepted message.
    pub(super) fn find(&self, message_id: &str) -> Option<u8> {
        let state = self.lock();
        state
            .log
            .iter()
            .rev()
            .find(|accepted| accepted.message_id == message_id)
            .map(|accepted| accepted.state)
    }
}

impl State {
    fn decide(&mut self, message: &SubmitSm) -> Decision {
        self.submissions += 1;
        let mut plan = self.behaviour.plan(&mut self.random, message, self.submissions);
        if self.is_over_rate() {
            plan.verdict = Verdict::Refuse(CommandStatus::RTHROTTLED);
        }
        let mut decision = Decision { plan, message_id: String::new(), fatal: false };
        if matches!(plan.verdict, Verdict::Accept | Verdict::AcceptSilently) {
            self.accepted += 1;
            decision.message_id = self.behaviour.ids.write(self.accepted);
            decision.fatal = self.behaviour.die_after.is_some_and(|most| self.accepted >= most);
        }
        decision
    }

    fn is_over_rate(&mut self) -> bool {
        let Some(tps) = self.behaviour.tps else { return false };
        if self.second.0.elapsed() >= Duration::from_secs(1) {
            self.second = (Instant::now(), 0);
        }
        self.second.1 += 1;
        self.second.1 > tps
    }

    fn receipt(&self, message: &SubmitSm, decision: &Decision) -> Option<DeliverSm> {
        let receipts = self.behaviour.receipts.as_ref()?;
        let state = decision.plan.state;
        let id = receipts.ids.as_ref().map(|ids| ids.write(self.accepted));
        let id = id.as_deref().unwrap_or(&decision.message_id);
        receipt::is_wanted(message, state).then(|| receipt::write(message, id, state, receipts.format))
    }
}
