//! Rows as the tables hold them, and the way from and to the domain's types.

use common::models::UnixMillis;
use common::models::sms::{ClientId, CorrelId, JobId, RouteName, SmsState, SmscName};
use diesel::dsl::SqlTypeOf;
use diesel::pg::Pg;
use diesel::prelude::*;
use smpp::codec::CommandStatus;
use telemetry::TraceContext;

use super::StoreError;
use super::schema::{sms_due_statuses, sms_jobs, sms_parts, sms_receipts, sms_statuses};
use crate::domain::attempt::{Attempt, JobKey, Part, PartState};
use crate::domain::outcome::Refusal;
use crate::domain::receipt::Fate;
use crate::domain::state::Emitted;
use crate::domain::trace;

/// A row of `sms_jobs`.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sms_jobs)]
pub(crate) struct JobRow {
    pub(crate) client_id: ClientId,
    pub(crate) id: JobId,
    pub(crate) correl_id: CorrelId,
    pub(crate) source_topic: String,
    pub(crate) source_partition: i32,
    pub(crate) source_offset: i64,
    pub(crate) state: String,
    pub(crate) holds: bool,
    pub(crate) emitted: i32,
    pub(crate) possible_duplicate: bool,
    pub(crate) traceparent: Option<String>,
    pub(crate) class: String,
    pub(crate) deadline: UnixMillis,
    pub(crate) payload: Option<String>,
    pub(crate) due_at: Option<UnixMillis>,
    pub(crate) tries: i32,
    pub(crate) segments: i32,
    pub(crate) reference: i32,
    pub(crate) smsc: Option<SmscName>,
    pub(crate) recall_id: Option<String>,
    pub(crate) created_at: UnixMillis,
    pub(crate) updated_at: UnixMillis,
    pub(crate) recipient: Option<String>,
    pub(crate) resends: i32,
    pub(crate) pinned: bool,
    pub(crate) deadline_text: Option<String>,
    pub(crate) route: RouteName,
    pub(crate) tried_smscs: Option<String>,
}

/// The columns of [`JobRow`].
pub(crate) type JobColumns = SqlTypeOf<<JobRow as Selectable<Pg>>::SelectExpression>;

impl JobRow {
    /// Names the job.
    pub(crate) fn key(&self) -> JobKey {
        JobKey { client_id: self.client_id.clone(), id: self.id.clone() }
    }

    /// Tells the trace of the job.
    pub(crate) fn trace(&self) -> TraceContext {
        trace::of_job(&self.id, self.traceparent.as_deref())
    }
}

/// What is read of a row of `sms_jobs` to change it: all but its key, which whoever asks knows, and what never changes and
/// nobody asks for, the payload above all.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sms_jobs)]
pub(crate) struct AttemptRow {
    pub(crate) correl_id: CorrelId,
    pub(crate) state: String,
    pub(crate) holds: bool,
    pub(crate) emitted: i32,
    pub(crate) possible_duplicate: bool,
    pub(crate) traceparent: Option<String>,
    pub(crate) class: String,
    pub(crate) deadline: UnixMillis,
    pub(crate) due_at: Option<UnixMillis>,
    pub(crate) tries: i32,
    pub(crate) segments: i32,
    pub(crate) reference: i32,
    pub(crate) smsc: Option<SmscName>,
    pub(crate) recall_id: Option<String>,
    pub(crate) recipient: Option<String>,
    pub(crate) resends: i32,
    pub(crate) route: RouteName,
    pub(crate) tried_smscs: Option<String>,
    pub(crate) left_at: Option<UnixMillis>,
    pub(crate) charged: i32,
    pub(crate) delivered_at: Option<UnixMillis>,
}

/// The columns of [`AttemptRow`].
pub(crate) type AttemptColumns = SqlTypeOf<<AttemptRow as Selectable<Pg>>::SelectExpression>;

impl AttemptRow {
    /// Tells the trace of the job `id`.
    pub(crate) fn trace(&self, id: &JobId) -> TraceContext {
        trace::of_job(id, self.traceparent.as_deref())
    }

    /// Reads the attempt of the job `key`; `parts` are its segments in order. Those beyond the last one are left of an
    /// earlier cut.
    pub(crate) fn attempt(self, key: JobKey, mut parts: Vec<Part>) -> Result<Attempt, StoreError> {
        parts.retain(|part| part.number <= self.segments);
        Ok(Attempt {
            key,
            correl_id: self.correl_id,
            state: self.state.parse().map_err(StoreError::unreadable)?,
            holds: self.holds,
            emitted: Emitted::from_bits(self.emitted),
            segments: self.segments,
            class: self.class.parse().map_err(StoreError::unreadable)?,
            resends: self.resends,
            possible_duplicate: self.possible_duplicate,
            deadline: self.deadline,
            due_at: self.due_at,
            recall_id: self.recall_id,
            smsc: self.smsc,
            route: self.route,
            charged: self.charged,
            tried: tried(self.tried_smscs.as_deref())?,
            parts,
        })
    }
}

/// Reads the SMSCs that did not take a message.
pub(crate) fn tried(names: Option<&str>) -> Result<Vec<SmscName>, StoreError> {
    let read = names.map(serde_json::from_str).transpose().map_err(StoreError::unreadable)?;
    Ok(read.unwrap_or_default())
}

/// What is read of a row of `sms_parts`, of a job that whoever asks knows.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sms_parts)]
pub(crate) struct PartRow {
    pub(crate) part: i32,
    pub(crate) smsc: SmscName,
    pub(crate) state: String,
    pub(crate) message_id: Option<String>,
    pub(crate) refusal: Option<i64>,
    pub(crate) receipt: Option<String>,
    pub(crate) receipt_error: Option<String>,
    pub(crate) updated_at: UnixMillis,
}

/// The columns of [`PartRow`].
pub(crate) type PartColumns = SqlTypeOf<<PartRow as Selectable<Pg>>::SelectExpression>;

const PART_STATES: [(PartState, &str); 5] = [
    (PartState::Queued, "queued"),
    (PartState::Submitting, "submitting"),
    (PartState::Accepted, "accepted"),
    (PartState::Refused, "refused"),
    (PartState::Unknown, "unknown"),
];

impl PartRow {
    /// Reads the segment.
    pub(crate) fn segment(self) -> Result<Part, StoreError> {
        let state = PART_STATES.iter().find(|(_, name)| *name == self.state).map(|(state, _)| *state);
        Ok(Part {
            number: self.part,
            smsc: self.smsc,
            state: state.ok_or_else(|| StoreError::unreadable(UnknownPartState(self.state)))?,
            message_id: self.message_id,
            refusal: self
                .refusal
                .and_then(|code| u32::try_from(code).ok())
                .map(|code| Refusal::Status(CommandStatus(code))),
            fate: self.receipt.map(|state| Fate::from_columns(&state, self.receipt_error)),
            stored_at: Some(self.updated_at),
        })
    }
}

/// A row of `sms_parts` to be written.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = sms_parts, primary_key(client_id, job_id, part), treat_none_as_null = true)]
pub(crate) struct NewPart<'a> {
    pub(crate) client_id: &'a ClientId,
    pub(crate) job_id: &'a JobId,
    pub(crate) part: i32,
    pub(crate) smsc: &'a SmscName,
    pub(crate) state: &'static str,
    pub(crate) message_id: Option<&'a str>,
    pub(crate) message_key: Option<String>,
    pub(crate) refusal: Option<i64>,
    pub(crate) receipt: Option<&'static str>,
    pub(crate) receipt_error: Option<&'a str>,
    pub(crate) updated_at: UnixMillis,
}

impl<'a> NewPart<'a> {
    /// Writes the segment; `message_key` is the form of its id that receipts are looked up by.
    pub(crate) fn of(key: &'a JobKey, part: &'a Part, message_key: Option<String>, now: UnixMillis) -> Self {
        let name = PART_STATES.iter().find(|(state, _)| *state == part.state).map_or("", |(_, name)| name);
        let fate = part.fate.as_ref().map(Fate::to_columns);
        Self {
            client_id: &key.client_id,
            job_id: &key.id,
            part: part.number,
            smsc: &part.smsc,
            state: name,
            message_id: part.message_id.as_deref(),
            message_key,
            refusal: part.refusal.as_ref().and_then(Refusal::code),
            receipt: fate.map(|(state, _)| state),
            receipt_error: fate.and_then(|(_, text)| text),
            updated_at: now,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no segment state is called {0:?}")]
struct UnknownPartState(String);

/// A row of `sms_receipts`.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sms_receipts)]
pub(crate) struct ReceiptRow {
    pub(crate) smsc: SmscName,
    pub(crate) id: String,
    pub(crate) message_id: String,
    pub(crate) message_key: String,
    pub(crate) state: String,
    pub(crate) error: Option<String>,
    pub(crate) received_at: UnixMillis,
    pub(crate) tried: bool,
    pub(crate) recipient: Option<String>,
    pub(crate) looked_at: UnixMillis,
}

/// The columns of [`ReceiptRow`].
pub(crate) type ReceiptColumns = SqlTypeOf<<ReceiptRow as Selectable<Pg>>::SelectExpression>;

/// A row of `sms_statuses`.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sms_statuses)]
pub(crate) struct StatusRow {
    pub(crate) client_id: ClientId,
    pub(crate) seq: i64,
    pub(crate) correl_id: CorrelId,
    pub(crate) status: SmsState,
    pub(crate) recall_id: Option<String>,
    pub(crate) error_text: Option<String>,
    pub(crate) simulated: bool,
    pub(crate) produced_at: UnixMillis,
    pub(crate) possible_duplicate: bool,
    /// Its span, as in its record; none of what earlier releases stored.
    pub(crate) traceparent: Option<String>,
}

impl StatusRow {
    /// Gives its place in the trace of the request.
    pub(crate) fn trace(&self) -> Option<TraceContext> {
        self.traceparent.as_deref().and_then(TraceContext::parse)
    }

    /// Says in the log how far it has come, for whoever follows its request.
    pub(crate) fn follow(&self, how_far: &str) {
        if telemetry::follows()
            && let Some(trace) = self.trace()
        {
            let (client, correl) = (self.client_id.as_str(), self.correl_id.as_str());
            let (status, seq) = (self.status.as_str(), self.seq);
            telemetry::follow!(trace, client.id = client, correl.id = correl, status, seq, "{how_far}");
        }
    }
}

/// A row of `sms_due_statuses`.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sms_due_statuses)]
pub(crate) struct DueRow {
    pub(crate) client_id: ClientId,
    pub(crate) job_id: JobId,
    pub(crate) step: i32,
    pub(crate) due_at: UnixMillis,
    pub(crate) status: SmsState,
    pub(crate) error_text: Option<String>,
}
