//! Liveness and readiness.
//!
//! Live says only that the process answers. Ready says that this instance can do its work: it is not starting or
//! draining, and every [`Check`] passes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use actix_web::{HttpResponse, web::Data};
use async_trait::async_trait;
use futures_util::future::join_all;
use serde::Serialize;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

/// How long one check may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a report is served again, so that probes and balancers together cost one round of checks.
const REPORT_AGE: Duration = Duration::from_millis(1500);

/// A dependency that this instance cannot work without.
#[async_trait]
pub trait Check: Send + Sync {
    /// Name of the dependency: `database`, `bus`.
    fn name(&self) -> &str;

    /// Asks the dependency. Has one second; must not change anything.
    ///
    /// # Errors
    /// What is wrong, for operators; no secrets.
    async fn check(&self) -> Result<(), String>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    Starting,
    Serving,
    Draining,
}

/// One line of the report.
#[derive(Clone, Debug, Serialize)]
struct Checked {
    service: &'static str,
    name: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Report {
    status: &'static str,
    checks: Vec<Checked>,
}

/// The state behind `/health/ready`.
pub(crate) struct Readiness {
    phase: AtomicU8,
    checks: Vec<(&'static str, Arc<dyn Check>)>,
    last: Mutex<Option<(Instant, Vec<Checked>)>>,
}

impl Readiness {
    pub(crate) fn new(checks: Vec<(&'static str, Arc<dyn Check>)>) -> Self {
        Self { phase: AtomicU8::new(Phase::Starting as u8), checks, last: Mutex::default() }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::SeqCst);
    }

    pub(crate) fn is(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::SeqCst) == phase as u8
    }

    async fn report(&self) -> Report {
        let checks = self.checks().await;
        let status = if self.is(Phase::Starting) {
            "starting"
        } else if self.is(Phase::Draining) {
            "draining"
        } else if checks.iter().all(|check| check.ok) {
            "ready"
        } else {
            "unavailable"
        };
        Report { status, checks }
    }

    /// Runs the checks, or takes what the last run found. The lock makes callers that come together share one run.
    async fn checks(&self) -> Vec<Checked> {
        let mut last = self.last.lock().await;
        if let Some((at, checks)) = &*last
            && at.elapsed() < REPORT_AGE
        {
            return checks.clone();
        }
        let checks = join_all(self.checks.iter().map(|(service, check)| run(service, &**check))).await;
        *last = Some((Instant::now(), checks.clone()));
        checks
    }
}

async fn run(service: &'static str, check: &dyn Check) -> Checked {
    let error = match timeout(CHECK_TIMEOUT, check.check()).await {
        Ok(result) => result.err(),
        Err(_) => Some("no answer within a second".to_owned()),
    };
    Checked { service, name: check.name().to_owned(), ok: error.is_none(), error }
}

pub(crate) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "live" }))
}

pub(crate) async fn ready(readiness: Data<Readiness>) -> HttpResponse {
    let report = readiness.report().await;
    if report.status == "ready" {
        HttpResponse::Ok().json(report)
    } else {
        HttpResponse::ServiceUnavailable().json(report)
    }
}
