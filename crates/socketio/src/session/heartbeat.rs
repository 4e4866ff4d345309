//! When to ping, and when to give up.
//!
//! A ping is due an interval after the last pong (or the opening); the pong is due the timeout after that moment, not
//! after whatever moment the ping was really written at, so that a session ends on the tick and never late.

use std::time::{Duration, Instant};

/// How often to ping, and how long to wait for the pong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From a pong to the next ping.
    pub interval: Duration,
    /// From a ping to the end, if no pong comes.
    pub timeout: Duration,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Nothing before this moment.
    Wait(Instant),
    /// Send a ping.
    Ping,
    /// The peer is gone.
    Gone,
}

/// The heartbeat of one session.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    due: Instant,
    pinged: bool,
}

impl Heartbeat {
    /// Begins when the session opens.
    pub fn new(opened: Instant, pace: &Pace) -> Self {
        Self { due: opened + pace.interval, pinged: false }
    }

    /// Looks at the time. A ping that is answered here counts as sent.
    pub fn beat(&mut self, now: Instant, pace: &Pace) -> Beat {
        if now < self.due {
            return Beat::Wait(self.due);
        }
        if self.pinged {
            return Beat::Gone;
        }
        self.pinged = true;
        // A process that was stopped for a while would otherwise end all its sessions with its first look.
        self.due = (self.due + pace.timeout).max(now + pace.timeout / 2);
        Beat::Ping
    }

    /// Notes a pong; one that was not asked for only delays the next ping.
    pub fn pong(&mut self, now: Instant, pace: &Pace) {
        *self = Self::new(now, pace);
    }

    /// Gives a peer that could not be listened to until now a while to be heard.
    pub fn spare(&mut self, now: Instant, pace: &Pace) {
        if self.pinged && self.due <= now {
            self.due = now + pace.timeout / 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { interval: Duration::from_millis(300), timeout: Duration::from_millis(200) };

    fn at(opened: Instant, ms: u64) -> Instant {
        opened + Duration::from_millis(ms)
    }

    #[test]
    fn a_session_without_a_pong_ends_exactly_after_interval_and_timeout() {
        let opened = Instant::now();
        let mut heart = Heartbeat::new(opened, &PACE);

        assert_eq!(heart.beat(at(opened, 299), &PACE), Beat::Wait(at(opened, 300)));
        // The timer is late; the end is not.
        assert_eq!(heart.beat(at(opened, 340), &PACE), Beat::Ping);
        assert_eq!(heart.beat(at(opened, 499), &PACE), Beat::Wait(at(opened, 500)));
        assert_eq!(heart.beat(at(opened, 500), &PACE), Beat::Gone);
    }

    #[test]
    fn the_next_interval_begins_with_the_pong() {
        let opened = Instant::now();
        let mut heart = Heartbeat::new(opened, &PACE);
        assert_eq!(heart.beat(at(opened, 300), &PACE), Beat::Ping);

        heart.pong(at(opened, 450), &PACE);

        assert_eq!(heart.beat(at(opened, 500), &PACE), Beat::Wait(at(opened, 750)));
        assert_eq!(heart.beat(at(opened, 750), &PACE), Beat::Ping);
    }

    #[test]
    fn a_process_that_was_stopped_gives_its_peers_a_chance() {
        let opened = Instant::now();
        let mut heart = Heartbeat::new(opened, &PACE);

        assert_eq!(heart.beat(at(opened, 10_000), &PACE), Beat::Ping);
        assert_eq!(heart.beat(at(opened, 10_000), &PACE), Beat::Wait(at(opened, 10_100)));

        heart.spare(at(opened, 10_050), &PACE);
        assert_eq!(heart.beat(at(opened, 10_050), &PACE), Beat::Wait(at(opened, 10_100)), "not yet due");
        heart.spare(at(opened, 10_100), &PACE);
        assert_eq!(heart.beat(at(opened, 10_100), &PACE), Beat::Wait(at(opened, 10_200)));
    }
}
