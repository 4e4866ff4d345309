//! An SMSC at its worst, on our simulator: what it does with a segment is drawn from the seed and the segment alone, so
//! that it can be asked again afterwards.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use smpp::codec::{CommandStatus, DeliverSm, SubmitSm};
use smpp::esme::Password;
use smpp::smsc::{
    Account, Behaviour, FinalState, Hook, Plan, Receipts, Smsc, SmscEvent, SmscSettings, Verdict,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Duration;

use crate::random::Random;
use crate::run::{Segment, segment};
use crate::world::{SMSC_PASSWORD, SYSTEM_ID, kept_address};

/// Every so many submissions one is throttled, whichever it is.
const THROTTLE_EVERY: u64 = 41;
/// Later than any test ends.
const NEVER: Duration = Duration::from_secs(24 * 3600);
/// Longer than the gateway waits for a response.
const LATE: Duration = Duration::from_millis(1500);
/// Receipts that wait to come a second time.
const COPIES: usize = 100_000;

/// What becomes of a segment, unless it is throttled first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whim {
    pub(crate) verdict: Verdict,
    latency: Duration,
    receipt_delay: Duration,
    pub(crate) state: FinalState,
    twice: bool,
}

impl Whim {
    pub(crate) fn of(seed: u64, (index, part): Segment) -> Self {
        let mut random = Random::seeded(seed ^ ((index as u64) << 8) ^ u64::from(part));
        let verdict = match random.below(1000) {
            0 => Verdict::Disconnect,
            1..20 => Verdict::Lose,
            20..50 => Verdict::AcceptSilently,
            50..70 => Verdict::Refuse(CommandStatus::RINVDSTADR),
            70..80 => Verdict::Refuse(CommandStatus::RSUBMITFAIL),
            _ => Verdict::Accept,
        };
        let latency = match random.below(100) {
            0..2 => LATE,
            // Longer than its neighbours: overtaken by them.
            2..12 => Duration::from_millis(60),
            _ => Duration::from_millis(random.below(20)),
        };
        let receipt_delay = match random.below(100) {
            0..3 => NEVER,
            // Before the response, if that takes any time.
            3..23 => Duration::ZERO,
            _ => latency + Duration::from_millis(random.below(300)),
        };
        let failed = FinalState::from_word("UNDELIV", 17).unwrap();
        let state = if random.below(100) < 8 { failed } else { FinalState::DELIVERED };
        Self { verdict, latency, receipt_delay, state, twice: random.below(100) < 10 }
    }

    /// Whether its receipt is withheld.
    pub(crate) fn is_mute(&self) -> bool {
        self.receipt_delay == NEVER
    }

    fn plan(&self, plan: &mut Plan) {
        plan.verdict = self.verdict;
        plan.latency = self.latency;
        plan.receipt_delay = self.receipt_delay;
        plan.state = self.state;
    }
}

/// What the SMSC has written down.
#[derive(Default)]
pub(crate) struct Seen {
    /// Every submission, in order, with what was decided.
    pub(crate) asked: Vec<(Segment, Verdict)>,
    /// How often each receipt was answered OK, by message id.
    pub(crate) acknowledged: HashMap<String, usize>,
}

/// The SMSC, in this process, so that it outlives every gateway.
pub(crate) struct Storm {
    pub(crate) seed: u64,
    pub(crate) smsc: Arc<Smsc>,
    pub(crate) seen: Arc<Mutex<Seen>>,
    copying: JoinHandle<()>,
}

impl Storm {
    pub(crate) async fn start(seed: u64) -> Self {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let (again, mut copies) = mpsc::channel(COPIES);
        let log = seen.clone();
        let script = move |message: &SubmitSm, number: u64, plan: &mut Plan| {
            let segment = segment(message);
            Whim::of(seed, segment).plan(plan);
            if number.is_multiple_of(THROTTLE_EVERY) {
                plan.verdict = Verdict::Refuse(CommandStatus::RTHROTTLED);
            }
            log.lock().unwrap().asked.push((segment, plan.verdict));
        };
        let receipts = Receipts { retry: Duration::from_millis(200), ..Receipts::default() };
        let behaviour =
            Behaviour { receipts: Some(receipts), script: Some(Arc::new(script)), ..Behaviour::default() };
        let account = Account { system_id: SYSTEM_ID.into(), password: Password::new(SMSC_PASSWORD) };
        let smsc = Smsc::start(SmscSettings {
            listen: kept_address(),
            accounts: vec![account],
            behaviour,
            seed,
            keep: usize::MAX,
            hook: Some(hook(seed, seen.clone(), again)),
            ..SmscSettings::default()
        });
        let smsc = Arc::new(smsc.await.unwrap());
        let copier = smsc.clone();
        let copying = tokio::spawn(async move {
            while let Some(receipt) = copies.recv().await {
                copier.deliver(SYSTEM_ID, receipt);
            }
        });
        Self { seed, smsc, seen, copying }
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.copying.abort();
    }
}

/// Writes down which receipts were answered OK, and hands some of them back to come a second time.
fn hook(seed: u64, seen: Arc<Mutex<Seen>>, again: mpsc::Sender<DeliverSm>) -> Hook {
    Arc::new(move |event| {
        let SmscEvent::Delivered { message, status: CommandStatus::ROK, .. } = event else { return };
        let Some(id) = message.tlvs.receipted_message_id() else { return };
        let mut seen = seen.lock().unwrap();
        let times = seen.acknowledged.entry(id.to_owned()).or_default();
        *times += 1;
        let number = id.parse().expect("ids are decimal");
        if *times == 1 && Whim::of(seed, (number, 0)).twice {
            again.try_send(message.clone()).expect("room for copies");
        }
    })
}
