//! A run: sends what is not sent, hears statuses, keeps journal and result up to date.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use common::models::sms::{SmsRequest, SmsState, SmsStatus};
use common::models::{Clock as _, SystemClock};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Ids;
use super::follow::{self, Follower};
use super::journal::{Beginning, Journal, Past};
use super::plan::{Plan, Planned};
use super::progress::Shown;
use super::result::{Progress, ResultFile};
use crate::console::{self, Outcome};
use crate::sms::send::{Channel, submit};

/// Messages between two entries of the journal, at most.
const BATCH: usize = 128;
/// Batches a second at a low rate.
const BATCHES: f64 = 4.0;

/// What a person does with the run when it has ended early.
const GO_ON: &str = "give the same command again to go on";

/// How fast messages go.
pub(super) struct Pace {
    rate: Option<f64>,
    begun: Instant,
}

impl Pace {
    pub(super) fn new(rate: Option<f64>) -> Self {
        Self { rate, begun: Instant::now() }
    }

    fn batch(&self) -> usize {
        // Small numbers, rounded up to 1 at least.
        self.rate.map_or(BATCH, |rate| ((rate / BATCHES).ceil() as usize).clamp(1, BATCH))
    }

    /// When as many as these may have gone.
    fn due(&self, sent: usize) -> Instant {
        let wait = self.rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(sent as f64 / rate));
        self.begun + wait
    }
}

/// The messages, and how far each is.
pub(super) struct Run<'a> {
    plan: &'a Plan,
    ids: Ids,
    progress: Vec<Progress>,
    /// Where a line's message is.
    places: HashMap<u64, usize>,
    journal: Journal,
    result: ResultFile,
    /// Whether there is news that the result file does not have.
    stale: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        ids: Ids,
        (journal, past): (Journal, Past),
        (result, full_numbers): (PathBuf, bool),
    ) -> Self {
        let lines = plan.messages.iter().map(|message| message.line);
        let progress = lines.clone().map(|line| Progress {
            accepted: past.accepted.get(&line).copied(),
            in_doubt: past.in_doubt.contains(&line),
            status: None,
        });
        Self {
            plan,
            ids,
            progress: progress.collect(),
            places: lines.zip(0..).collect(),
            journal,
            result: ResultFile::new(result, full_numbers),
            stale: true,
        }
    }

    /// Hears the statuses that were published while nobody listened, where they can be asked for: a message with a
    /// status was sent.
    pub(super) async fn catch_up(&mut self, channel: &Channel, beginning: &Beginning) -> Outcome {
        let Channel::Http(gateway) = channel else { return Ok(()) };
        let mut after = beginning.after.unwrap_or_default();
        loop {
            let (statuses, next) = follow::page(gateway, after, false).await?;
            if statuses.is_empty() {
                return Ok(());
            }
            after = next;
            self.hear(statuses);
        }
    }

    /// Says what an earlier run has left.
    pub(super) fn tell_past(&self) {
        let doubt = self.count(|progress| progress.in_doubt && !progress.is_sent());
        let sent = self.count(Progress::is_sent);
        let left = self.progress.len() - sent - doubt;
        console::say(&format!(
            "going on: {sent} were sent before, {doubt} perhaps (they are sent again under the ids they had, which \
             the gateway knows), {left} were not"
        ));
    }

    fn count(&self, which: impl Fn(&Progress) -> bool) -> usize {
        self.progress.iter().filter(|progress| which(progress)).count()
    }

    fn hear(&mut self, statuses: Vec<SmsStatus>) -> bool {
        let mut news = false;
        for status in statuses {
            let line = self.ids.line(status.correl_id.as_str());
            let place = line.and_then(|line| self.places.get(&line));
            if let Some(progress) = place.and_then(|place| self.progress.get_mut(*place)) {
                news |= progress.hear(status);
            }
        }
        self.stale |= news;
        news
    }

    fn write(&mut self) -> Outcome {
        self.stale = false;
        let rows = self.plan.messages.iter().zip(&self.progress);
        self.result.write(rows.map(|(message, progress)| (message, self.ids.get(message.line), progress)))
    }

    /// Sends, waits, and says how it went.
    ///
    /// # Errors
    /// Why not all was sent, or delivered.
    pub(super) async fn complete(
        mut self,
        channel: &Channel,
        request: impl Fn(&Planned, String) -> Outcome<SmsRequest>,
        (pace, mut follower, patience): (Pace, Option<Follower>, Duration),
    ) -> Outcome {
        let mut stop = stop()?;
        let sent = self.send(channel, request, &pace, (&mut follower, &mut stop)).await;
        self.write()?;
        let all = self.progress.len();
        let accepted = self.count(Progress::is_sent);
        sent.map_err(|error| format!("{accepted} of {all} were accepted, then: {error}; {GO_ON}"))?;
        if *stop.borrow() {
            return Err(format!("stopped: {accepted} of {all} were accepted; {GO_ON}").into());
        }
        if let Some(follower) = &mut follower {
            self.wait(follower, &mut stop, patience).await?;
        }
        self.write()?;
        self.conclude(follower.is_some())
    }

    async fn send(
        &mut self,
        channel: &Channel,
        request: impl Fn(&Planned, String) -> Outcome<SmsRequest>,
        pace: &Pace,
        (follower, stop): (&mut Option<Follower>, &mut watch::Receiver<bool>),
    ) -> Outcome {
        let messages = self.plan.messages.iter().enumerate();
        let unsent = |(place, _): &(usize, &Planned)| {
            self.progress.get(*place).is_some_and(|progress| !progress.is_sent())
        };
        let todo: Vec<(usize, &Planned)> = messages.filter(unsent).collect();
        let mut shown = Shown::new(todo.len(), "sending");
        let mut sent = 0;
        for batch in todo.chunks(pace.batch()) {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                () = sleep_until(pace.due(sent)) => {}
            }
            let requests = batch.iter().map(|(_, message)| request(message, self.ids.get(message.line)));
            let requests = requests.collect::<Outcome<Vec<_>>>()?;
            self.journal.sending(batch.iter().map(|(_, message)| message.line).collect())?;
            submit(channel, &requests, |index| {
                let Some((place, message)) = batch.get(index) else { return Ok(()) };
                let now = SystemClock.now();
                self.journal.accepted(message.line, now)?;
                if let Some(progress) = self.progress.get_mut(*place) {
                    progress.accepted = Some(now);
                }
                sent += 1;
                shown.set(sent);
                Ok(())
            })
            .await?;
            self.stale = true;
            while let Some(round) = follower.as_mut().and_then(Follower::now) {
                self.hear(round);
            }
            if self.result.due() <= Instant::now() {
                self.write()?;
            }
        }
        Ok(())
    }

    async fn wait(
        &mut self,
        follower: &mut Follower,
        stop: &mut watch::Receiver<bool>,
        patience: Duration,
    ) -> Outcome {
        let all = self.progress.len();
        let mut shown = Shown::new(all, "waiting for statuses");
        let mut until = Instant::now() + patience;
        loop {
            let over = self.count(Progress::is_over);
            shown.set(over);
            if over == all {
                return Ok(());
            }
            let open = all - over;
            tokio::select! {
                round = follower.next() => if self.hear(round) {
                    until = Instant::now() + patience;
                },
                () = sleep_until(self.result.due()), if self.stale => self.write()?,
                _ = stop.wait_for(|stop| *stop) => {
                    self.write()?;
                    return Err(format!("stopped: all are sent, {open} wait for their last status; {GO_ON}").into());
                }
                () = sleep_until(until) => {
                    self.write()?;
                    let patience = humantime::format_duration(patience);
                    return Err(format!(
                        "no news for {patience}, and {open} without a last status; {GO_ON} waiting"
                    ).into());
                }
            }
        }
    }

    fn conclude(&self, waited: bool) -> Outcome {
        let of = |state: SmsState| {
            self.count(|progress| progress.status.as_ref().is_some_and(|status| status.sms_status == state))
        };
        let file = self.result.path().display();
        let all = self.progress.len();
        if !waited {
            console::say(&format!("{all} accepted; {file}"));
            return Ok(());
        }
        let delivered = of(SmsState::Delivered);
        let others = [SmsState::Expired, SmsState::Invalid, SmsState::Failed].map(|state| (of(state), state));
        let others: String = others
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, state)| format!(", {count} {}", state.as_str()))
            .collect();
        console::say(&format!("{all} sent: {delivered} DELIVERED{others}; {file}"));
        match all - delivered {
            0 => Ok(()),
            left => Err(format!("{left} of {all} were not delivered: {file} has the reasons").into()),
        }
    }
}

/// Turns true at the first Ctrl-C or SIGTERM; at the second the process ends. It may: the journal is on disk.
fn stop() -> Outcome<watch::Receiver<bool>> {
    let first = web::shutdown_signal()?;
    let (stopping, stop) = watch::channel(false);
    tokio::spawn(async move {
        first.await;
        console::say("stopping when what is under way is answered; once more ends at once");
        let _ = stopping.send(true);
        if let Ok(second) = web::shutdown_signal() {
            second.await;
            std::process::exit(130);
        }
    });
    Ok(stop)
}
