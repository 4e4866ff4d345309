//! `sealpost sms smsc`: an operator's SMSC, before a gateway uses it.
//!
//! In: what the operator has said: address, login. Out: what its SMSC answers at each step, in plain words and with what
//! to do, and at the end the settings for the gateway. What must hold: no more messages are sent than were announced;
//! what the SMSC brings for others is left to them; neither password nor text nor a full number is shown.

mod block;
mod options;
mod receipts;
mod report;
mod steps;
mod words;

use std::time::Duration;

use clap::Subcommand;
use sms_gateway::SmscSettings;

use self::options::Target;
use self::report::{Failure, Report};
use crate::console::{self, Outcome};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Bind to an SMSC, send one message, and tell step by step what it answers and what to set
    Test(Box<options::Test>),
}

impl Command {
    pub(super) async fn run(self) -> Outcome {
        let Self::Test(test) = self;
        let json = test.json;
        let target = test.target()?;
        let mut report = Report::new(json);
        let (learnt, failure) = steps::take(&target, &mut report).await;
        console::printed(report.end(&block::settings(&target.smsc, &learnt), &learnt, failure.as_ref()))?;
        match failure {
            None => Ok(()),
            Some(failure) => Err(console::Coded { code: failure.code, text: failure.text }.into()),
        }
    }
}

/// Connects to an SMSC over TCP, and over TLS where its settings say so; with `bind` it binds and unbinds, too. Says what
/// was found.
///
/// # Errors
/// The step that failed: what happened, and what to do.
pub(crate) async fn try_smsc(smsc: SmscSettings, timeout: Duration, bind: bool) -> Result<String, Failure> {
    let target = Target { smsc, messages: None, timeout };
    // As JSON it prints nothing before its end.
    let mut report = Report::new(true);
    if !bind {
        return steps::connect(&target, &mut report).await.map(|()| report.last());
    }
    match steps::take(&target, &mut report).await {
        (_, None) => Ok(format!("bound {}", report.last())),
        (_, Some(failure)) => Err(failure),
    }
}
