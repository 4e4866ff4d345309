//! Whatever happens in whatever order: never over the agreed rate, never silent for ever, never lowered for ever.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Send(usize),
    Accepted(usize),
    Throttled(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u64..400).prop_map(Step::Wait),
        1 => (400u64..90_000).prop_map(Step::Wait),
        6 => (1usize..80).prop_map(Step::Send),
        4 => (1usize..80).prop_map(Step::Accepted),
        2 => (1usize..4).prop_map(Step::Throttled),
    ]
}

proptest! {
    #[test]
    fn pace_keeps_its_promises(
        tps in prop::option::of(0.2f64..300.0),
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut bench = Bench::new(tps);
        let mut sent: Vec<(Instant, usize)> = Vec::new();
        let most = tps.map_or(f64::INFINITY, f64::ceil) as usize;
        let least = tps.unwrap_or(FLOOR).min(FLOOR);

        for step in steps {
            let (rate, pauses) = (bench.rate(), bench.pace.pauses_total());
            match step {
                Step::Wait(ms) => {
                    bench.now += Duration::from_millis(ms);
                    let raised = bench.rate();
                    prop_assert!(raised.unwrap_or(f64::INFINITY) >= rate.unwrap_or(f64::INFINITY));
                }
                Step::Send(wanted) => {
                    let count = bench.send(wanted);
                    prop_assert!(count <= wanted && (count == 0 || !bench.pace.is_paused(bench.now)));
                    sent.push((bench.now, count));
                }
                Step::Accepted(count) => bench.accept(count),
                Step::Throttled(count) => {
                    (0..count).for_each(|_| bench.pace.throttled(bench.now));
                    prop_assert!(bench.pace.pauses_total() <= pauses + 1);
                    prop_assert!(bench.rate().unwrap() <= rate.unwrap_or(f64::INFINITY));
                    prop_assert!(bench.pace.next_due(bench.now).unwrap() <= bench.now + LIMITS.pause_max);
                }
            }
            if let Some(rate) = bench.rate() {
                prop_assert!(rate >= least && tps.is_none_or(|tps| rate <= tps), "{} of {:?}", rate, tps);
            }
            let second = sent.iter().rev().take_while(|&&(at, _)| at + SECOND > bench.now);
            prop_assert!(second.map(|&(_, count)| count).sum::<usize>() <= most);
        }

        // Something may always go in the end, at a time that was told.
        bench.sit_out();
        prop_assert_eq!(bench.send(1), 1);
        bench.now += LIMITS.lift_after;
        prop_assert_eq!(bench.rate(), tps);
    }
}
