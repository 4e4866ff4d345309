//! What all connections of a simulator share: behaviour, who is bound, what was accepted, what waits to be delivered.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use super::behaviour::{Behaviour, Facts, Plan, ReceiptFormat, Receipts, Verdict};
use super::event::{Accepted, SmscCounts, SmscEvent};
use super::waiting::{Parcel, Waiting};
use super::{Account, Hook, SmscSettings, receipt};
use crate::codec::{Bind, CommandStatus, MessageState, QuerySmResp, SubmitSm, absolute_time};
use crate::random::Random;
use crate::session::BindKind;

/// Who is bound, and how.
pub(super) struct Bound {
    pub(super) system_id: String,
    pub(super) kind: BindKind,
    /// It may get optional parameters (SMPP 3.4 §1.5, on older versions).
    pub(super) knows_tlvs: bool,
}

/// What a submit_sm comes to.
pub(super) struct Decision {
    pub(super) plan: Plan,
    /// What the answer gives as id.
    pub(super) answered_id: String,
    /// This was the last message before death.
    pub(super) fatal: bool,
}

/// An accepted message, and when it comes to its end.
struct Kept {
    accepted: Accepted,
    done: Instant,
    done_at: SystemTime,
}

pub(super) struct State {
    pub(super) behaviour: Behaviour,
    random: Random,
    started: Instant,
    log: VecDeque<Kept>,
    submissions: u64,
    accepted: u64,
    /// How many had been accepted when it last came to life by itself.
    accepted_before_life: u64,
    /// It died by itself and is to live again after this time.
    revival: Option<Duration>,
    bound: HashMap<String, usize>,
    waiting: Waiting,
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
        let now = Instant::now();
        let state = State {
            behaviour: settings.behaviour,
            random: Random::seeded(settings.seed),
            started: now,
            log: VecDeque::new(),
            submissions: 0,
            accepted: 0,
            accepted_before_life: 0,
            revival: None,
            bound: HashMap::new(),
            waiting: Waiting::default(),
            second: (now, 0),
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

    /// Lets an ESME in, or tells why not. Whoever is in must [`Self::leave`].
    pub(super) fn admit(&self, bind: Bind, kind: BindKind) -> Result<Bound, CommandStatus> {
        let mut state = self.lock();
        let refused = state.refusal(&bind.system_id).or_else(|| self.check(&bind));
        if let Some(status) = refused {
            drop(state);
            self.tell(|| SmscEvent::BindRefused { system_id: bind.system_id, status });
            return Err(status);
        }
        *state.bound.entry(bind.system_id.clone()).or_default() += 1;
        drop(state);
        self.count(|counts| {
            counts.bound += 1;
            counts.binds += 1;
        });
        self.tell(|| SmscEvent::Bound { system_id: bind.system_id.clone() });
        Ok(Bound { system_id: bind.system_id, kind, knows_tlvs: bind.interface_version >= 0x34 })
    }

    fn check(&self, bind: &Bind) -> Option<CommandStatus> {
        let account = self.accounts.iter().find(|account| account.system_id == bind.system_id);
        match account {
            _ if self.accounts.is_empty() => None,
            None => Some(CommandStatus::RINVSYSID),
            Some(account) if account.password.expose() == bind.password => None,
            Some(_) => Some(CommandStatus::RINVPASWD),
        }
    }

    /// Ends a bind, and keeps what it has not answered for the next receiver.
    pub(super) fn leave(&self, bound: Bound, unanswered: impl IntoIterator<Item = Parcel>) {
        for parcel in unanswered {
            self.enqueue(&bound.system_id, Duration::ZERO, parcel);
        }
        if let Some(count) = self.lock().bound.get_mut(&bound.system_id) {
            *count -= 1;
        }
        self.count(|counts| counts.bound -= 1);
        self.tell(|| SmscEvent::Unbound { system_id: bound.system_id });
    }

    /// Decides on a submission, writes it down, and plans its receipt.
    pub(super) fn submit(&self, bound: &Bound, message: SubmitSm) -> Decision {
        let system_id = &bound.system_id;
        let mut state = self.lock();
        let decision = state.decide(&message);
        if matches!(decision.plan.verdict, Verdict::Accept | Verdict::AcceptSilently) {
            let receipt = state.receipt(&message, decision.plan, bound.knows_tlvs);
            let accepted = state.keep(system_id, message, decision.plan, self.keep);
            self.tell(|| SmscEvent::Accepted(accepted));
            drop(state);
            self.count(|counts| counts.accepted += 1);
            for parcel in receipt
                .into_iter()
                .flat_map(|parcel| std::iter::repeat_n(parcel, usize::from(decision.plan.receipt.copies)))
            {
                self.enqueue(system_id, decision.plan.receipt_delay, parcel);
            }
        } else {
            drop(state);
            self.count(|counts| counts.refused += 1);
        }
        match decision.plan.verdict {
            Verdict::Refuse(status) => {
                self.tell(|| SmscEvent::Refused { system_id: system_id.clone(), status });
            }
            Verdict::AcceptSilently | Verdict::Lose => {
                self.tell(|| SmscEvent::Unanswered { system_id: system_id.clone() });
            }
            Verdict::Accept | Verdict::Disconnect => {}
        }
        decision
    }

    /// Keeps something until a receiver of that system_id is there.
    pub(super) fn enqueue(&self, system_id: &str, delay: Duration, parcel: Parcel) {
        self.lock().waiting.put(system_id, Instant::now() + delay, parcel);
        self.arrivals.send_modify(|version| *version += 1);
    }

    /// Takes at most `most` things that are due, and tells when the next is.
    pub(super) fn due(&self, system_id: &str, most: usize) -> (Vec<Parcel>, Option<Instant>) {
        self.lock().waiting.take(system_id, Instant::now(), most)
    }

    pub(super) fn retry_delay(&self) -> Duration {
        let fallback = Receipts::default().retry;
        self.lock().behaviour.receipts.as_ref().map_or(fallback, |receipts| receipts.retry)
    }

    /// Gives the messages that are kept.
    pub(super) fn log(&self) -> Vec<Accepted> {
        self.lock().log.iter().map(|kept| kept.accepted.clone()).collect()
    }

    /// Answers a query about a message that is kept.
    pub(super) fn find(&self, message_id: &str) -> Option<QuerySmResp> {
        let state = self.lock();
        let kept = state.log.iter().rev().find(|kept| kept.accepted.message_id == message_id)?;
        let done = kept.done <= Instant::now();
        let final_date = if done { absolute_time(kept.done_at) } else { String::new() };
        let message_state = if done { kept.accepted.state } else { MessageState::Enroute };
        Some(QuerySmResp { message_id: message_id.to_owned(), final_date, message_state, error_code: 0 })
    }

    /// Begins a new life after a death by [`Behaviour::die_after`], if it is to begin by itself and nothing else did it.
    pub(super) fn take_revival(&self) -> Option<Duration> {
        self.lock().revival.take()
    }
}

impl State {
    fn refusal(&self, system_id: &str) -> Option<CommandStatus> {
        let bound = self.bound.get(system_id).copied().unwrap_or_default();
        self.behaviour.binds.refusal(self.started.elapsed(), bound)
    }

    fn decide(&mut self, message: &SubmitSm) -> Decision {
        self.submissions += 1;
        let mut plan = self.behaviour.plan(&mut self.random, message, self.submissions);
        if self.is_over_rate() {
            plan.verdict = Verdict::Refuse(CommandStatus::RTHROTTLED);
        }
        let mut decision = Decision { plan, answered_id: String::new(), fatal: false };
        if matches!(plan.verdict, Verdict::Accept | Verdict::AcceptSilently) {
            self.accepted += 1;
            decision.answered_id = self.behaviour.ids.choose(plan.id, self.accepted);
            let lived = self.accepted - self.accepted_before_life;
            decision.fatal = self.behaviour.die_after.is_some_and(|most| lived >= most);
            if let Some(after) = self.behaviour.revive_after.filter(|_| decision.fatal) {
                self.accepted_before_life = self.accepted;
                self.revival = Some(after);
            }
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

    /// Writes the accepted message down as the last one.
    fn keep(&mut self, system_id: &str, message: SubmitSm, plan: Plan, most: usize) -> Accepted {
        let accepted = Accepted {
            system_id: system_id.to_owned(),
            message_id: self.behaviour.ids.choose(Default::default(), self.accepted),
            message,
            state: plan.state.state,
        };
        self.log.push_back(Kept {
            accepted: accepted.clone(),
            done: Instant::now() + plan.receipt_delay,
            done_at: SystemTime::now() + plan.receipt_delay,
        });
        while self.log.len() > most {
            self.log.pop_front();
        }
        accepted
    }

    fn receipt(&self, message: &SubmitSm, plan: Plan, knows_tlvs: bool) -> Option<Parcel> {
        let receipts =
            self.behaviour.receipts.as_ref().filter(|_| receipt::is_wanted(message, plan.state))?;
        let ids = receipts.ids.as_ref().unwrap_or(&self.behaviour.ids);
        let submitted = SystemTime::now();
        let facts = Facts {
            id: &ids.choose(plan.receipt.id, self.accepted),
            end: plan.state,
            submitted,
            done: submitted + plan.receipt_delay,
        };
        let format = if knows_tlvs { receipts.format } else { ReceiptFormat::Text };
        let message = receipt::write(message, facts, format, plan.receipt.shape);
        Some(Parcel { message, by_data_sm: plan.receipt.by_data_sm && knows_tlvs })
    }
}
