//! What an outcome was about, for whoever follows a request through the logs.

use common::models::sms::SmscName;
use telemetry::TraceContext;

use super::Settled;
use crate::domain::attempt::JobKey;
use crate::store::attempts::Loaded;

/// A segment of which an SMSC has said something.
#[derive(Clone, Debug)]
pub(super) struct Followed {
    trace: TraceContext,
    key: JobKey,
    part: i32,
    smsc: SmscName,
    /// The SMSC's id of it, once it has one.
    message_id: Option<String>,
    /// What was said.
    what: &'static str,
}

impl Followed {
    /// Takes down what was said of a segment.
    pub(super) fn of(one: &Loaded, number: i32, what: &'static str) -> Option<Self> {
        let part = one.part(number)?;
        Some(Self {
            trace: one.trace,
            key: one.attempt.key.clone(),
            part: number,
            smsc: part.smsc.clone(),
            message_id: part.message_id.clone(),
            what,
        })
    }
}

impl Settled {
    /// Says in the log, now that it is stored, what SMSCs have said.
    pub(crate) fn follow(&self) {
        for Followed { trace, key, part, smsc, message_id, what } in &self.followed {
            telemetry::follow!(
                trace,
                client.id = key.client_id.as_str(),
                job.id = key.id.as_str(),
                sms.part = part,
                smsc = smsc.as_str(),
                smsc.message_id = message_id.as_deref(),
                outcome = what,
                "an SMSC has said what became of a segment"
            );
        }
    }
}
