//! First stage: records of `send-sms` become jobs, statuses or dead letters. Offsets follow when that is committed.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bus::Delivered;
use bus::worker::{Handler, Outcome};
use common::crypto::sms_payload::SmsPayload;
use common::models::UnixMillis;
use common::models::sms::{
    AcceptedSms, ClientId, CorrelId, JobId, RouteName, SmsClass, SmsRequest, SmsState,
};

use super::Gateway;
use super::openers::{OpenFailure, Opened, Sealed};
use crate::domain::loopback::{self, Script, Wait};
use crate::domain::message::{Form, prepare};
use crate::domain::route::Facts;
use crate::domain::state::JobState;
use crate::store::StoreError;
use crate::store::intake::{NewAttempt, Taken};
use crate::store::rows::{DueRow, JobRow};

/// Records that are decrypted together; while they are stored, the next ones are decrypted.
const CHUNK: usize = 64;

/// Handles batches of records.
pub(crate) struct Intake {
    gateway: Arc<Gateway>,
    allowed: HashSet<ClientId>,
}

/// A record on its way.
enum Judged {
    /// It becomes an attempt; with the message of one that is to be submitted.
    Attempt(Box<NewAttempt>, Option<SmsPayload>),
    /// It cannot be judged now.
    Later(String),
    /// Nobody can be told.
    Dead(String),
}

impl Intake {
    /// Makes the stage.
    pub(crate) fn new(gateway: Arc<Gateway>) -> Self {
        let allowed = gateway.settings.allowed_clients.iter().cloned().collect();
        Self { gateway, allowed }
    }

    /// Judges a batch: what can be told at once, then what is in the payloads.
    async fn judge(&self, records: &[Delivered]) -> Vec<Judged> {
        let now = self.gateway.now();
        let mut judged: Vec<Option<Judged>> = Vec::with_capacity(records.len());
        let mut sealed = Vec::new();
        let mut accepted = Vec::new();
        for (index, record) in records.iter().enumerate() {
            let request = match SmsRequest::parse(record.bytes()) {
                Ok(request) => request,
                Err(error) => {
                    judged.push(Some(Judged::Dead(error.to_string())));
                    continue;
                }
            };
            let (client, correl) = (request.client_id.clone(), request.correl_id.clone());
            match request.check(self.allowed.contains(&client), now) {
                Ok(sms) => {
                    sealed.push(Sealed {
                        client_id: client,
                        correl_id: correl,
                        deadline: sms.deadline_text.clone(),
                        payload: sms.payload.clone(),
                    });
                    accepted.push((index, sms));
                    judged.push(None);
                }
                Err(refusal) => {
                    let draft = Draft::new(record, client, correl, now);
                    let ended = draft.ended(refusal.state(), refusal.error_text());
                    judged.push(Some(Judged::Attempt(Box::new(ended), None)));
                }
            }
        }
        if !sealed.is_empty() {
            let opened = self.gateway.openers.open(sealed).await;
            for ((index, sms), opened) in accepted.into_iter().zip(opened) {
                if let (Some(place), Some(record)) = (judged.get_mut(index), records.get(index)) {
                    *place = Some(self.judge_opened(record, sms, opened, now));
                }
            }
        }
        judged.into_iter().map(|one| one.unwrap_or_else(|| Judged::Later("not judged".into()))).collect()
    }

    fn judge_opened(
        &self,
        record: &Delivered,
        sms: AcceptedSms,
        opened: Result<Opened, OpenFailure>,
        now: UnixMillis,
    ) -> Judged {
        let AcceptedSms { client_id, correl_id, deadline, deadline_text, payload, class } = sms;
        let mut draft = Draft::new(record, client_id, correl_id, now);
        draft.0.deadline = deadline;
        draft.0.class = class.as_str().into();
        let Opened { message, seal } = match opened {
            Ok(opened) => opened,
            Err(failure) if failure.is_ours() => return Judged::Later(failure.to_string()),
            Err(failure) => {
                let ended = draft.ended(failure.state(), Some(failure.to_string()));
                return Judged::Attempt(Box::new(ended), None);
            }
        };
        if seal.is_some() {
            let last = now + self.gateway.settings.replay_window;
            if deadline > last {
                let text = format!(
                    "deadline is too far away for this encryption: {} at most",
                    last.to_rfc3339_seconds()
                );
                return Judged::Attempt(Box::new(draft.ended(SmsState::Invalid, Some(text))), None);
            }
            // The envelope opens only with these very characters.
            draft.0.deadline_text = Some(deadline_text);
        }
        let mut judged = self.judge_message(draft, class, payload, message);
        if let Judged::Attempt(attempt, _) = &mut judged {
            attempt.seal = seal;
        }
        judged
    }

    fn judge_message(&self, draft: Draft, class: SmsClass, payload: String, message: SmsPayload) -> Judged {
        if draft.0.client_id.as_str() == loopback::CLIENT {
            let settings = &self.gateway.settings;
            let delay = |wait| match wait {
                Wait::Normal => settings.loopback_delay,
                Wait::Long => settings.loopback_long_delay,
            };
            return Judged::Attempt(Box::new(draft.looping(Script::of(message.text()), delay)), None);
        }
        match prepare(message, &self.gateway.settings.allowed_numbers, Form::default()) {
            Ok(outgoing) => {
                let row = &draft.0;
                let facts = Facts {
                    client: &row.client_id,
                    class,
                    to: outgoing.to.as_str(),
                    sender: outgoing.message().sender(),
                };
                let route = match self.gateway.rules.routes.decide(&facts) {
                    Ok(route) => route.name.clone(),
                    Err(none) => {
                        let ended = draft.ended(SmsState::Invalid, Some(none.to_string()));
                        return Judged::Attempt(Box::new(ended), None);
                    }
                };
                let recipient = self.gateway.recipients.hash(outgoing.to.as_str());
                Judged::Attempt(
                    Box::new(draft.queued(payload, recipient, route)),
                    Some(outgoing.into_message()),
                )
            }
            Err(error) => {
                Judged::Attempt(Box::new(draft.ended(SmsState::Invalid, Some(error.to_string()))), None)
            }
        }
    }

    /// Gives a chunk to the writer, at once and so in the order of the calls: of two alike the first one counts. What
    /// became of each comes when the transaction has ended.
    fn store(&self, judged: Vec<Judged>) -> impl Future<Output = Vec<Outcome>> + Send + '_ {
        let gateway = &self.gateway;
        let mut attempts = Vec::with_capacity(judged.len());
        let fates: Vec<Fate> = judged
            .into_iter()
            .map(|one| match one {
                Judged::Later(reason) => Fate::Decided(Outcome::retry(reason)),
                Judged::Dead(reason) => {
                    gateway.count("dead");
                    Fate::Decided(Outcome::dead(reason))
                }
                Judged::Attempt(attempt, message) => {
                    let fate = Fate::Stored(Entry::of(&attempt));
                    // Before the commit: the job may be claimed at once after it, and is not to be decrypted twice.
                    if let Some(message) = message {
                        gateway.plaintexts.put(attempt.row.id.clone(), message);
                    }
                    attempts.push(*attempt);
                    fate
                }
            })
            .collect();
        let taken = gateway.intake.submit_many(attempts);
        async move {
            let mut taken = taken.await.into_iter();
            let outcomes = fates.into_iter().map(|fate| match fate {
                Fate::Decided(outcome) => outcome,
                Fate::Stored(entry) => match taken.next() {
                    Some(taken) => gateway.conclude(taken, &entry),
                    None => Outcome::retry("not stored"),
                },
            });
            outcomes.collect()
        }
    }
}

/// What becomes of a record of a chunk.
enum Fate {
    /// That is known.
    Decided(Outcome),
    /// What becomes of this job.
    Stored(Entry),
}

/// A job that is being stored.
struct Entry {
    id: JobId,
    /// Its name in the metrics.
    kind: &'static str,
    /// What the log says of it, if somebody reads that.
    followed: Option<Box<JobRow>>,
}

impl Entry {
    fn of(attempt: &NewAttempt) -> Self {
        let row = || Box::new(JobRow { payload: None, ..attempt.row.clone() });
        Self { id: attempt.row.id.clone(), kind: attempt.kind(), followed: telemetry::follows().then(row) }
    }

    fn follow(&self, outcome: &str) {
        let Some(row) = &self.followed else { return };
        telemetry::follow!(
            row.trace(),
            client.id = row.client_id.as_str(),
            correl.id = row.correl_id.as_str(),
            job.id = row.id.as_str(),
            bus.topic = row.source_topic,
            bus.partition = row.source_partition,
            bus.offset = row.source_offset,
            outcome,
            "an SMS request was taken in"
        );
    }
}

impl Gateway {
    fn count(&self, outcome: &str) {
        self.metrics.requests_total.with_label_values(&[outcome]).inc();
    }

    /// Draws the conclusions from what became of a job.
    fn conclude(&self, taken: Result<Taken, StoreError>, entry: &Entry) -> Outcome {
        if !matches!(taken, Ok(Taken::New(_))) {
            self.plaintexts.take(&entry.id);
        }
        let (outcome, status) = match taken {
            Ok(Taken::New(status)) => (entry.kind, status),
            Ok(Taken::Replay) => ("replay", None),
            Ok(Taken::Duplicate) => ("duplicate", None),
            Err(error) => return Outcome::retry(error.to_string()),
        };
        self.count(outcome);
        entry.follow(outcome);
        self.announcer.announce(status.as_slice());
        Outcome::Done
    }
}

#[async_trait]
impl Handler for Intake {
    async fn handle(&self, records: &[Delivered]) -> Vec<Outcome> {
        let timer = self.gateway.metrics.intake_seconds.start_timer();
        let mut stores = Vec::with_capacity(records.len().div_ceil(CHUNK));
        for chunk in records.chunks(CHUNK) {
            self.gateway.plaintexts.make_room(chunk.len()).await;
            // While the writer works on one chunk, the next one is decrypted.
            stores.push(self.store(self.judge(chunk).await));
        }
        let mut outcomes = Vec::with_capacity(records.len());
        for store in stores {
            outcomes.extend(store.await);
        }
        timer.observe_duration();
        self.gateway.work.notify_one();
        self.gateway.loops.notify_one();
        outcomes
    }
}

impl NewAttempt {
    /// Gives its name in the metrics.
    fn kind(&self) -> &'static str {
        match (&self.emission, self.row.client_id.as_str()) {
            (Some(_), _) => "refused",
            (None, loopback::CLIENT) => "looping",
            (None, _) => "queued",
        }
    }
}

/// The row of an attempt that is being judged.
struct Draft(JobRow);

impl Draft {
    fn new(record: &Delivered, client_id: ClientId, correl_id: CorrelId, now: UnixMillis) -> Self {
        Self(JobRow {
            client_id,
            id: uuid::Uuid::now_v7().to_string().into(),
            correl_id,
            source_topic: record.position.topic.to_string(),
            source_partition: record.position.partition,
            source_offset: record.position.offset,
            state: String::new(),
            holds: false,
            emitted: 0,
            possible_duplicate: false,
            // The one header that is read, and it changes nothing but this.
            traceparent: record.trace().map(|trace| trace.child().to_string()),
            class: SmsClass::default().as_str().into(),
            deadline: now,
            payload: None,
            due_at: None,
            tries: 0,
            segments: 0,
            reference: 0,
            smsc: None,
            recall_id: None,
            created_at: now,
            updated_at: now,
            recipient: None,
            resends: 0,
            pinned: false,
            deadline_text: None,
            route: "".into(),
            tried_smscs: None,
        })
    }

    fn enter(mut self, state: JobState) -> JobRow {
        self.0.state = state.as_str().into();
        self.0.holds = state.holds();
        self.0
    }

    /// Ends with its first status.
    fn ended(self, status: SmsState, error_text: Option<String>) -> NewAttempt {
        NewAttempt::ended(self.0, status, error_text)
    }

    /// Waits to be submitted.
    fn queued(self, payload: String, recipient: Option<String>, route: RouteName) -> NewAttempt {
        let mut row = self.enter(JobState::Queued);
        row.due_at = Some(row.created_at);
        row.payload = Some(payload);
        row.recipient = recipient;
        row.route = route;
        NewAttempt { row, emission: None, due: Vec::new(), seal: None }
    }

    /// Has its statuses to come.
    fn looping(self, script: Script, delay: impl Fn(Wait) -> Duration) -> NewAttempt {
        let steps: Vec<(Wait, SmsState)> = script.steps().collect();
        let row = self.enter(if steps.is_empty() { JobState::Silent } else { JobState::Looping });
        let mut due_at = row.created_at;
        let mut left = i32::try_from(steps.len()).unwrap_or_default();
        let due = steps
            .into_iter()
            .map(|(wait, status)| {
                left -= 1;
                due_at = due_at + delay(wait);
                DueRow {
                    client_id: row.client_id.clone(),
                    job_id: row.id.clone(),
                    step: left,
                    due_at,
                    status,
                    error_text: loopback::error_text(status).map(str::to_owned),
                }
            })
            .collect();
        NewAttempt { row, emission: None, due, seal: None }
    }
}
