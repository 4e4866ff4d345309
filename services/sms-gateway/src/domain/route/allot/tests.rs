use proptest::prelude::*;

use super::*;
use crate::domain::route::Share;

const RESERVED: f64 = 0.1;
const PATIENCE: Duration = Duration::from_secs(1);

fn waiting(id: usize, class: SmsClass) -> Waiting {
    Waiting {
        key: JobKey { client_id: "acme".into(), id: format!("{id:06}").as_str().into() },
        route: "r".into(),
        class,
        due_at: UnixMillis(0),
        pinned: None,
        tried: Vec::new(),
    }
}

fn allotter(smscs: &[&str]) -> Allotter {
    let part = 1.0 / smscs.len() as f64;
    let mut allotter = Allotter::new(RESERVED, PATIENCE);
    let shares = smscs.iter().map(|smsc| Share { smsc: (*smsc).into(), part }).collect();
    allotter.turns.entry("r".into()).or_default().share(shares, Vec::new(), UnixMillis(0));
    allotter
}

/// Allots with room for so many at each SMSC, and gives ids and SMSCs.
fn allot(
    allotter: &mut Allotter,
    jobs: &[Waiting],
    rooms: &[(&str, usize)],
    now: i64,
) -> Vec<(String, String)> {
    let mut offer = Offer {
        rooms: rooms.iter().map(|(smsc, room)| ((*smsc).into(), *room)).collect(),
        budgets: HashMap::new(),
        admit: &mut |_| true,
        now: UnixMillis(now),
    };
    let leaving = allotter.allot(jobs.to_vec(), &mut offer);
    leaving.into_iter().map(|(one, smsc)| (one.key.id.to_string(), smsc.to_string())).collect()
}

#[test]
fn what_an_smsc_has_a_part_of_goes_to_no_other() {
    let mut job = waiting(1, SmsClass::Bulk);
    job.pinned = Some("a".into());

    assert_eq!(allot(&mut allotter(&["a", "b"]), &[job.clone()], &[("a", 0), ("b", 9)], 60_000), []);
    assert_eq!(allot(&mut allotter(&["b"]), &[job], &[("a", 1)], 0), [("000001".into(), "a".into())]);
}

#[test]
fn a_message_takes_the_next_smsc_and_the_same_again_only_after_a_while() {
    let mut job = waiting(1, SmsClass::Bulk);
    job.tried = vec!["a".into()];
    let id = || "000001".to_owned();

    assert_eq!(
        allot(&mut allotter(&["a", "b"]), &[job.clone()], &[("a", 9), ("b", 9)], 0),
        [(id(), "b".into())]
    );
    // The other one is full, not away.
    assert_eq!(allot(&mut allotter(&["a", "b"]), &[job.clone()], &[("a", 9), ("b", 0)], 60_000), []);
    assert_eq!(allot(&mut allotter(&["a"]), &[job.clone()], &[("a", 9)], 999), []);
    assert_eq!(allot(&mut allotter(&["a"]), &[job.clone()], &[("a", 9)], 1_000), [(id(), "a".into())]);
    // It was there a moment ago, and may be back soon.
    let mut left = allotter(&["a"]);
    let share = |smsc: &str| Share { smsc: smsc.into(), part: 0.5 };
    let turns = left.turns.get_mut(&RouteName::from("r")).unwrap();
    turns.share(vec![share("a"), share("b")], Vec::new(), UnixMillis(9_000));
    turns.share(vec![share("a")], Vec::new(), UnixMillis(9_500));
    assert_eq!(allot(&mut left, &[job.clone()], &[("a", 9)], 9_999), []);
    assert_eq!(allot(&mut left, &[job], &[("a", 9)], 10_000), [(id(), "a".into())]);
}

#[test]
fn neither_a_routes_budget_nor_a_clients_share_is_exceeded() {
    let jobs: Vec<Waiting> = (0..9).map(|id| waiting(id, SmsClass::Bulk)).collect();
    let mut tokens = 3;
    let mut admit = |_: &ClientId| {
        tokens -= 1;
        tokens >= 0
    };
    let mut offer = Offer {
        rooms: [("a".into(), 9)].into(),
        budgets: [("r".into(), 5)].into(),
        admit: &mut admit,
        now: UnixMillis(0),
    };

    assert_eq!(allotter(&["a"]).allot(jobs.clone(), &mut offer).len(), 3);
    let mut all = |_: &ClientId| true;
    offer.admit = &mut all;
    assert_eq!(allotter(&["a"]).allot(jobs, &mut offer).len(), 2);
}

#[test]
fn of_one_class_the_oldest_goes_first_and_urgent_ones_before() {
    let mut jobs: Vec<Waiting> = (0..3).map(|id| waiting(id, SmsClass::Bulk)).collect();
    jobs[0].due_at = UnixMillis(5);
    jobs.push(waiting(9, SmsClass::Alert));
    jobs.push(waiting(8, SmsClass::Otp));

    let left = allot(&mut allotter(&["a"]), &jobs, &[("a", 9)], 10);

    let ids: Vec<&str> = left.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["000008", "000009", "000001", "000002", "000000"]);
}

proptest! {
    #[test]
    fn no_class_is_starved_and_no_room_is_left_unused(
        rooms in proptest::collection::vec(1usize..30, 20..200),
    ) {
        let mut allotter = allotter(&["a"]);
        let mut sent = [0usize; CLASSES.len()];
        for room in rooms {
            // More of each class waits than there ever is room for.
            let jobs: Vec<Waiting> = (0..90).map(|id| waiting(id, CLASSES[id / 30])).collect();
            let left = allot(&mut allotter, &jobs, &[("a", room)], 0);
            prop_assert_eq!(left.len(), room);
            for (id, _) in left {
                sent[id.parse::<usize>().unwrap() / 30] += 1;
            }
            for class in 1..CLASSES.len() {
                let higher: usize = sent.iter().take(class).sum();
                let due = (higher as f64 * RESERVED).floor() - 4.0;
                prop_assert!(sent[class] as f64 >= due, "{sent:?}");
            }
            prop_assert!(sent[0] >= sent[1] && sent[0] >= sent[2], "{sent:?}");
        }
    }
}
