//! A run of many sends whose fates are known beforehand, and the account that must come out at its end.
//!
//! The number of a send decides what the SMSC does with it. The SMSC writes down every submission, so that at the end
//! both sides can be compared: what clients were told, and what was really sent.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use common::models::sms::{SmsState, SmsStatus};
use serde::Deserialize;
use serde_json::{Map, Value};
use smpp::codec::{CommandStatus, SubmitSm, esm_class};
use smpp::smsc::{Behaviour, FinalState, Plan, Receipts, Smsc, Span, Verdict};
use testkit::http::TestClient;
use testkit::wait::{wait_for, wait_for_within};
use tokio::time::Duration;

use crate::cases::{ACME, Maker};
use crate::secrecy::{NUMBERS, WHISPER};
use crate::statuses::Statuses;
use crate::world::{KEY, simulator};

/// Segments of which a killed gateway cannot know the outcome: the window of its bind, as many again that are handed to
/// the session ahead of it, and as many whose answers are just being stored.
pub(crate) const UNDER_WAY: usize = 3 * WINDOW;
/// The window of the bind.
pub(crate) const WINDOW: usize = 64;
/// Every so many submissions one is throttled.
const THROTTLE_EVERY: u64 = 97;
/// Words of a text of three segments.
const LONG: usize = 40;
/// Statuses of one page.
const PAGE: usize = 500;

/// What becomes of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Delivered,
    Undelivered,
    Refused,
    /// Accepted, and the answer is lost: only its receipt tells.
    Silent,
}

fn fate(index: usize) -> Fate {
    match index % 100 {
        7 | 57 => Fate::Refused,
        11 => Fate::Silent,
        rest if rest % 10 == 3 => Fate::Undelivered,
        _ => Fate::Delivered,
    }
}

/// Whether the SMSC takes it without a word, each time.
pub(crate) fn is_silent(index: usize) -> bool {
    fate(index) == Fate::Silent
}

/// Parts of a send's text.
pub(crate) fn segments(index: usize) -> usize {
    if index % 20 == 4 { 3 } else { 1 }
}

pub(crate) fn correl(index: usize) -> String {
    format!("send-{index:04}")
}

fn index_of(correl: &str) -> usize {
    correl.strip_prefix("send-").and_then(|digits| digits.parse().ok()).expect("a correl-id of this run")
}

/// The request of a send, as JSON.
pub(crate) fn request(maker: &Maker, index: usize) -> Vec<u8> {
    serde_json::to_vec(&fields(maker, index)).unwrap()
}

/// The same of the class `otp`.
pub(crate) fn urgent_request(maker: &Maker, index: usize) -> Vec<u8> {
    let mut fields = fields(maker, index);
    fields.insert("class".into(), "otp".into());
    serde_json::to_vec(&fields).unwrap()
}

fn fields(maker: &Maker, index: usize) -> Map<String, Value> {
    let words = if segments(index) == 1 { 1 } else { LONG };
    let text = format!("To: +{NUMBERS}{index:04}\nSender: TEST\n\n{}", format!("{WHISPER} ").repeat(words));
    maker.request(ACME, &correl(index), &text)
}

/// A segment: number of the send, number of the part.
pub(crate) type Segment = (usize, u8);

/// The SMSC of a run, with what it was asked.
pub(crate) struct Operator {
    pub(crate) smsc: Smsc,
    asked: Arc<Mutex<Vec<(Segment, Verdict)>>>,
}

impl Operator {
    pub(crate) async fn start(seed: u64) -> Self {
        let asked: Arc<Mutex<Vec<(Segment, Verdict)>>> = Arc::default();
        let log = asked.clone();
        let script = move |message: &SubmitSm, number: u64, plan: &mut Plan| {
            let segment = segment(message);
            decide(fate(segment.0), number, plan);
            log.lock().unwrap().push((segment, plan.verdict));
        };
        let behaviour = Behaviour {
            latency: Span { min: Duration::ZERO, max: Duration::from_millis(20) },
            receipts: Some(Receipts {
                delay: Span { min: Duration::ZERO, max: Duration::from_millis(50) },
                retry: Duration::from_millis(200),
                ..Receipts::default()
            }),
            script: Some(Arc::new(script)),
            ..Behaviour::default()
        };
        Self { smsc: simulator(behaviour, seed).await, asked }
    }

    /// Waits until so many messages were accepted.
    pub(crate) async fn accepted(&self, count: u64) {
        let mut counts = self.smsc.counts();
        let reached = counts.wait_for(|counts| counts.accepted >= count);
        tokio::time::timeout(Duration::from_secs(30), reached)
            .await
            .unwrap_or_else(|_| panic!("{:?}, never {count} accepted", self.smsc.counts().borrow()))
            .unwrap();
    }
}

impl Operator {
    /// How often the SMSC has taken each segment, whether it has said so or not.
    pub(crate) fn copies(&self) -> HashMap<Segment, usize> {
        let mut copies = HashMap::new();
        for (segment, verdict) in self.asked.lock().unwrap().iter() {
            *copies.entry(*segment).or_default() += usize::from(takes(verdict));
        }
        copies
    }

    /// The segments of each send that the SMSC has taken, whether it has said so or not.
    fn taken(&self) -> HashMap<usize, usize> {
        let mut taken = HashMap::new();
        for ((index, _), verdict) in self.asked.lock().unwrap().iter() {
            *taken.entry(*index).or_default() += usize::from(takes(verdict));
        }
        taken
    }
}

fn takes(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Accept | Verdict::AcceptSilently)
}

fn decide(fate: Fate, number: u64, plan: &mut Plan) {
    if number.is_multiple_of(THROTTLE_EVERY) {
        plan.verdict = Verdict::Refuse(CommandStatus::RTHROTTLED);
        return;
    }
    match fate {
        Fate::Delivered => {}
        Fate::Undelivered => plan.state = FinalState::from_word("UNDELIV", 17).unwrap(),
        Fate::Refused => plan.verdict = Verdict::Refuse(CommandStatus::RINVDSTADR),
        Fate::Silent => plan.verdict = Verdict::AcceptSilently,
    }
}

pub(crate) fn segment(message: &SubmitSm) -> Segment {
    let digits = message.destination.value.strip_prefix(NUMBERS).expect("a number of this run");
    let part = if message.esm_class & esm_class::UDHI == 0 { 1 } else { message.short_message[5] };
    (digits.parse().unwrap(), part)
}

/// What a client was told about its sends, in order: what `GET /v1/sms/status` holds.
#[derive(Debug, Default)]
pub(crate) struct Account {
    stories: BTreeMap<usize, Vec<SmsStatus>>,
    count: usize,
}

impl Account {
    /// Reads it all. Its numbers have no gap.
    pub(crate) async fn read(http: &TestClient) -> Self {
        #[derive(Deserialize)]
        struct Numbered {
            seq: i64,
            #[serde(flatten)]
            status: SmsStatus,
        }
        #[derive(Deserialize)]
        struct Page {
            statuses: Vec<Numbered>,
            next: i64,
        }
        let (client, mut account, mut after) = (http.with_token(KEY), Self::default(), 0);
        loop {
            let path = format!("/v1/sms/status?after={after}&limit={PAGE}&timeout=0");
            let page: Page = client.get(&path).await.expect(200).json();
            if page.statuses.is_empty() {
                return account;
            }
            for Numbered { seq, status } in page.statuses {
                after += 1;
                assert_eq!(seq, after, "statuses are numbered without gaps");
                account.count += 1;
                account.stories.entry(index_of(status.correl_id.as_str())).or_default().push(status);
            }
            assert_eq!(page.next, after);
        }
    }

    /// Reads it when all these sends have come as far as they can.
    pub(crate) async fn settled(
        http: &TestClient,
        operator: &Operator,
        sends: usize,
        within: Duration,
    ) -> Self {
        let all: BTreeSet<usize> = (0..sends).collect();
        wait_for_within(within, "an end of every send", || async {
            let account = Self::read(http).await;
            (account.sends().is_superset(&all) && account.is_settled(operator)).then_some(account)
        })
        .await
    }

    /// Whether every send that was told of has come as far as it can. The SMSC reports on all that it has taken, and the
    /// report finds its message even if that was told as unknown.
    pub(crate) fn is_settled(&self, operator: &Operator) -> bool {
        let taken = operator.taken();
        self.stories.keys().all(|index| {
            let states = self.states(*index);
            let whole = taken.get(index) == Some(&segments(*index));
            match fate(*index) {
                Fate::Delivered | Fate::Silent if whole => states.ends_with(&[SmsState::Delivered]),
                // FAILED is told once: what was told as unknown and was not delivered either has nothing to add.
                Fate::Undelivered if whole && !self.gave_up(*index) => states.ends_with(&[SmsState::Failed]),
                _ => states.iter().any(|state| *state != SmsState::Sent),
            }
        })
    }

    /// What was told of a send, in order.
    pub(crate) fn story(&self, index: usize) -> &[SmsStatus] {
        self.stories.get(&index).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn states(&self, index: usize) -> Vec<SmsState> {
        self.story(index).iter().map(|status| status.sms_status).collect()
    }

    /// Checks every story and compares it with what the SMSC saw. `kills`: how often a gateway was killed; each
    /// may leave [`UNDER_WAY`] unknown outcomes.
    pub(crate) fn assert_honest(&self, operator: &Operator, sends: usize, kills: usize) {
        self.assert_honest_about(operator, &(0..sends).collect(), kills);
    }

    /// Gives the sends that were told of.
    pub(crate) fn sends(&self) -> BTreeSet<usize> {
        self.stories.keys().copied().collect()
    }

    /// The same for the sends that were taken.
    pub(crate) fn assert_honest_about(&self, operator: &Operator, sends: &BTreeSet<usize>, kills: usize) {
        let asked = operator.asked.lock().unwrap();
        assert_nothing_is_sent_twice(&asked);
        let mut verdicts: HashMap<usize, Vec<(u8, Verdict)>> = HashMap::new();
        for ((index, part), verdict) in asked.iter() {
            verdicts.entry(*index).or_default().push((*part, *verdict));
        }
        let mut unknown = 0;
        for &index in sends {
            let story = self.states(index);
            let taken = verdicts.get(&index).into_iter().flatten();
            let taken: Vec<u8> = taken.filter(|(_, verdict)| takes(verdict)).map(|(part, _)| *part).collect();
            // Told as unknown, and corrected by a late answer or a receipt if the SMSC has it.
            let gave_up = self.gave_up(index);
            let rest = &story[usize::from(gave_up)..];
            unknown += usize::from(gave_up);
            let wanted: &[SmsState] = match fate(index) {
                Fate::Delivered | Fate::Silent => &[SmsState::Sent, SmsState::Delivered],
                Fate::Undelivered => &[SmsState::Sent, SmsState::Failed],
                Fate::Refused => &[SmsState::Invalid],
            };
            // FAILED says no more the second time: an undelivered message was unknown before.
            let told = gave_up && fate(index) == Fate::Undelivered && rest == [SmsState::Sent];
            assert!(rest == wanted || (gave_up && rest.is_empty()) || told, "{}: {story:?}", correl(index));
            if story.contains(&SmsState::Sent) {
                assert_eq!(taken.len(), segments(index), "{} is SENT; the SMSC has {taken:?}", correl(index));
            }
        }
        assert_eq!(&self.sends(), sends, "every request has a story, and nothing else has");
        let silent = sends.iter().filter(|index| is_silent(**index)).count();
        // Fewer, where a receipt comes before anybody is told that nobody knows.
        assert!(
            unknown <= silent + kills * UNDER_WAY,
            "{unknown} unknown outcomes, {silent} silent ones and {kills} kills"
        );
    }

    fn gave_up(&self, index: usize) -> bool {
        self.story(index).first().is_some_and(is_unknown)
    }

    /// Checks that Kafka has what the account has: the same stories in the same order, and nothing else, each
    /// status once: the gateway was killed between publishing and noting it, too. The account is read anew, as a late answer
    /// may have added SENT to what had ended.
    pub(crate) async fn assert_published(&self, http: &TestClient, statuses: &Statuses) {
        let same = || async {
            let account = Self::read(http).await;
            (account.count == statuses.count()).then_some(account)
        };
        let account = wait_for("as many statuses on Kafka as in the account", same).await;
        assert_eq!(account.sends(), self.sends());
        for index in account.stories.keys() {
            let said: Vec<SmsState> =
                statuses.said(&correl(*index)).iter().map(|one| one.status.sms_status).collect();
            assert_eq!(said, account.states(*index), "{}", correl(*index));
        }
    }
}

/// Whether a status says that nobody knows.
pub(crate) fn is_unknown(status: &SmsStatus) -> bool {
    let text = status.error_text.as_deref().unwrap_or_default();
    status.sms_status == SmsState::Failed && text.contains("outcome unknown")
}

/// After any verdict but "throttled" a segment never comes again, whether the gateway learnt the verdict or not.
pub(crate) fn assert_nothing_is_sent_twice(asked: &[(Segment, Verdict)]) {
    let mut known: HashMap<Segment, Verdict> = HashMap::new();
    for (segment, verdict) in asked {
        if let Some(before) = known.get(segment) {
            panic!("segment {segment:?} came again ({verdict:?}) after {before:?}");
        }
        if *verdict != Verdict::Refuse(CommandStatus::RTHROTTLED) {
            known.insert(*segment, *verdict);
        }
    }
}
