//! The rate that is kept, and what throttling does to it, by a clock that tests turn by hand.

mod random;

use super::*;

const LIMITS: PaceLimits = PaceLimits {
    tps: None,
    pause: SECOND,
    pause_max: Duration::from_secs(60),
    lift_after: Duration::from_secs(60),
};

/// A pace and its clock.
struct Bench {
    pace: Pace,
    now: Instant,
}

impl Bench {
    fn new(tps: impl Into<Option<f64>>) -> Self {
        let now = Instant::now();
        Self { pace: Pace::new(PaceLimits { tps: tps.into(), ..LIMITS }, now), now }
    }

    /// Sends all that it may, at most `wanted`.
    fn send(&mut self, wanted: usize) -> usize {
        let count = self.pace.allowance(self.now, wanted);
        self.pace.spend(self.now, count);
        count
    }

    /// Sends all that it may every millisecond, and has it all accepted; gives how many.
    fn run(&mut self, time: Duration) -> usize {
        let end = self.now + time;
        let mut sent = 0;
        while self.now < end {
            let count = self.send(1000);
            self.accept(count);
            sent += count;
            self.now += Duration::from_millis(1);
        }
        sent
    }

    /// Has so many submissions accepted at once.
    fn accept(&mut self, count: usize) {
        (0..count).for_each(|_| self.pace.accepted(self.now));
    }

    /// Has one submission throttled, and gives the pause that follows.
    fn throttle(&mut self) -> Duration {
        self.pace.throttled(self.now);
        let until = self.pace.next_due(self.now).expect("a pause");
        until - self.now
    }

    /// Goes to the end of the pause.
    fn sit_out(&mut self) {
        while let Some(due) = self.pace.next_due(self.now) {
            self.now = due;
        }
    }

    fn rate(&mut self) -> Option<f64> {
        self.pace.allowance(self.now, 0);
        self.pace.rate()
    }
}

#[test]
fn agreed_rate_is_kept_and_used() {
    for tps in [1.0, 7.0, 100.0, 5000.0] {
        let sent = Bench::new(tps).run(3 * SECOND) as f64;
        assert!(sent >= 3.0 * tps * 0.95 && sent <= 3.0 * tps, "{sent} of {tps}");
    }
    assert_eq!(Bench::new(None).send(64), 64);
}

#[test]
fn what_is_no_rate_is_no_limit() {
    for tps in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(Bench::new(tps).rate(), None, "{tps}");
    }
    assert_eq!(Bench::new(1e-300).send(5), 1);
}

#[test]
fn no_second_sees_more_than_the_agreed_rate() {
    // 50 parts of one SMS after an idle hour: burst and spread together.
    let mut bench = Bench::new(40.0);
    bench.now += Duration::from_secs(3600);
    let mut sent = Vec::new();

    for ms in 0..3000u64 {
        sent.extend(std::iter::repeat_n(ms, bench.send(50)));
        bench.now += Duration::from_millis(1);
    }

    let fullest =
        sent.iter().map(|&from| sent.iter().filter(|&&at| (from..from + 1000).contains(&at)).count());
    assert_eq!(fullest.max(), Some(40));
}

#[test]
fn idle_time_is_not_saved_up() {
    let mut bench = Bench::new(100.0);
    bench.now += Duration::from_secs(3600);

    assert_eq!(bench.send(1000), 5);
}

#[test]
fn pauses_double_up_to_their_limit_while_throttling_goes_on() {
    let mut bench = Bench::new(100.0);

    for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(bench.throttle(), Duration::from_secs(seconds));
        assert_eq!(bench.send(1), 0);
        bench.sit_out();
        assert!(bench.send(1) > 0);
    }
    assert_eq!((bench.pace.pauses_total(), bench.pace.throttled_total()), (8, 8));
}

#[test]
fn an_accepted_submission_makes_pauses_short_again() {
    let mut bench = Bench::new(100.0);
    bench.throttle();
    bench.sit_out();
    bench.throttle();
    // Sent before the pause, so it says nothing about what comes after it.
    bench.pace.accepted(bench.now);
    bench.sit_out();
    assert_eq!(bench.throttle(), 4 * SECOND);
    bench.sit_out();

    bench.pace.accepted(bench.now);

    assert_eq!(bench.throttle(), SECOND);
}

#[test]
fn a_window_full_of_throttled_submissions_is_one_throttling() {
    let mut bench = Bench::new(100.0);
    bench.accept(100);

    (0..10).for_each(|_| bench.pace.throttled(bench.now));

    assert_eq!(bench.pace.next_due(bench.now), Some(bench.now + SECOND));
    assert_eq!((bench.rate(), bench.pace.pauses_total()), (Some(75.0), 1));
    assert_eq!(bench.pace.throttled_total(), 10);
}

#[test]
fn rate_falls_to_three_quarters_of_what_was_accepted() {
    // Agreed, spent in full, spent in part, no agreement, nothing accepted yet.
    let cases = [(Some(100.0), 100, 75.0), (Some(100.0), 40, 30.0), (None, 400, 300.0), (None, 0, 1.0)];

    for (tps, accepted, rate) in cases {
        let mut bench = Bench::new(tps);
        bench.accept(accepted);
        bench.throttle();
        assert_eq!(bench.rate(), Some(rate), "{tps:?}, {accepted} accepted");
    }
}

#[test]
fn throttling_right_after_a_pause_lowers_the_rate_that_was_allowed() {
    let mut bench = Bench::new(100.0);
    bench.accept(100);
    bench.throttle();
    bench.sit_out();
    bench.pace.accepted(bench.now);

    bench.throttle();

    assert_eq!(bench.rate(), Some(56.25));
}

#[test]
fn agreed_rate_comes_back_step_by_step() {
    let mut bench = Bench::new(100.0);
    bench.accept(100);
    bench.throttle();
    bench.sit_out();
    let mut rates = Vec::new();

    for _ in 0..5 {
        rates.extend(bench.rate());
        bench.now += SECOND;
    }

    assert_eq!(rates, [75.0, 85.0, 95.0, 100.0, 100.0]);
    assert_eq!(bench.pace.next_rise(), None);
}

#[test]
fn a_rate_that_fell_to_its_floor_is_soon_useful_again() {
    let mut bench = Bench::new(1000.0);
    bench.throttle();
    bench.sit_out();

    let sent = [bench.run(SECOND), bench.run(SECOND), bench.run(SECOND)];

    // It gains 100 each second, evenly: 50 in the first, 150 in the second, 250 in the third.
    for (sent, expected) in sent.into_iter().zip([51, 151, 251]) {
        assert!(sent.abs_diff(expected) <= 5, "{sent} instead of {expected}");
    }
}

#[test]
fn limit_that_nobody_agreed_on_is_lifted() {
    let mut bench = Bench::new(None);
    bench.accept(400);
    bench.throttle();
    bench.sit_out();

    bench.now += 59 * SECOND;
    assert_eq!(bench.rate(), Some(300.0 + 59.0 * 40.0));
    bench.now += SECOND;

    assert_eq!((bench.rate(), bench.send(5000), bench.pace.next_rise()), (None, 5000, None));
}
