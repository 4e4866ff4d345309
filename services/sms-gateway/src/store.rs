//! The gateway's tables: jobs, segments, receipts, statuses. Every function here is one step of a caller's transaction
//! with a number of statements that does not grow with the batch on PostgreSQL.

pub(crate) mod attempts;
#[cfg(test)]
mod desk;
pub(crate) mod inbound;
pub(crate) mod intake;
pub(crate) mod lookups;
pub(crate) mod loopback;
pub(crate) mod opt_outs;
pub(crate) mod orders;
pub(crate) mod questions;
pub(crate) mod queue;
pub(crate) mod quotas;
pub(crate) mod receipts;
pub(crate) mod references;
pub(crate) mod report;
pub(crate) mod rows;
pub(crate) mod schema;
mod seals;
pub(crate) mod statuses;
pub(crate) mod upkeep;
pub(crate) mod webhooks;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use common::models::sms::SmscName;
use db::diesel_migrations::{self, embed_migrations};
use db::{DbError, Migrations};
use service::operators::AuditTable;
use smpp::codec::CommandStatus;
use sms::message_id::IdBase;

use crate::domain::attempt::{Attempt, PartEvent};
use crate::domain::opt_out::OptOuts;
use crate::domain::outcome::Refusal;
use crate::domain::quota::Quotas;
use crate::domain::route::Routes;

/// The log of what operators do.
pub(crate) const AUDIT: AuditTable = AuditTable::named("sms_audit", "sms_audit_start");

/// Why a step failed.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum StoreError {
    /// The database said so.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A row holds what this version does not know.
    #[error("a stored row cannot be read: {0}")]
    Unreadable(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    pub(crate) fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unreadable(Arc::new(error))
    }
}

impl From<diesel::result::Error> for StoreError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Db(error.into())
    }
}

/// What the settings say that rows depend on.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// Topic of the statuses.
    pub(crate) status_topic: String,
    /// Whether the ids of an attempt with an unknown outcome may be used again.
    pub(crate) resubmit_unknown: bool,
    /// How long an outcome that has become unknown may still be learnt before its client is told.
    pub(crate) unknown_grace: Duration,
    /// Which way messages go.
    pub(crate) routes: Routes,
    /// Refusals that say nothing about the message.
    pub(crate) fail_over_on: Vec<CommandStatus>,
    /// Who may opt out of what.
    pub(crate) opt_outs: Arc<OptOuts>,
    /// How much each client may send.
    pub(crate) quotas: Arc<Quotas>,
    /// What is to be known of each SMSC, by name.
    pub(crate) smscs: HashMap<SmscName, SmscRules>,
}

/// What rows need to know of an SMSC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SmscRules {
    /// How it writes message ids.
    pub(crate) id_base: IdBase,
    /// Whether its statuses are marked.
    pub(crate) simulated: bool,
    /// How long after a message it is asked for a receipt that has not come.
    pub(crate) query_after: Option<Duration>,
}

impl Rules {
    /// Tells how an SMSC writes ids; one that is no longer configured may have written them in any way.
    pub(crate) fn id_base(&self, smsc: &SmscName) -> IdBase {
        self.smscs.get(smsc).map_or_else(IdBase::default, |smsc| smsc.id_base)
    }

    /// Tells how long after a message an SMSC is asked for a missing receipt.
    pub(crate) fn query_after(&self, smsc: Option<&SmscName>) -> Option<Duration> {
        smsc.and_then(|name| self.smscs.get(name)).and_then(|smsc| smsc.query_after)
    }

    /// Tells whether the route of an attempt has an SMSC that it did not have in this try. Where one got it for the second
    /// time, the others could not be used.
    pub(crate) fn has_another(&self, attempt: &Attempt) -> bool {
        !attempt.came_back() && self.routes.has_another(&attempt.route, &attempt.tried_so_far())
    }

    /// Says of a refusal whether it counts: not where another SMSC may take the message.
    pub(crate) fn weigh(&self, attempt: &Attempt, event: PartEvent) -> PartEvent {
        match event {
            PartEvent::Refused(Refusal::Status(status))
                if self.fail_over_on.contains(&status)
                    && attempt.may_pass_on()
                    && self.has_another(attempt) =>
            {
                PartEvent::Declined(status)
            }
            event => event,
        }
    }

    /// Tells whether statuses that come through this SMSC are marked as simulated.
    pub(crate) fn is_simulated(&self, smsc: Option<&SmscName>) -> bool {
        smsc.and_then(|name| self.smscs.get(name)).is_some_and(|smsc| smsc.simulated)
    }
}

/// The migrations of both backends.
pub(crate) static MIGRATIONS: Migrations =
    Migrations::new(embed_migrations!("migrations/postgres"), embed_migrations!("migrations/sqlite"));
