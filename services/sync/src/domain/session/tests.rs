use std::sync::LazyLock;

use common::crypto::oaep::OaepPrivateKey;
use proptest::prelude::*;

use super::*;

const PACE: Pace = Pace { turns: 3, turn: Duration::from_secs(15), pause: Duration::from_secs(120) };

fn at(seconds: u64) -> UnixMillis {
    UnixMillis(0) + Duration::from_secs(seconds)
}

fn session() -> (SyncId, Session) {
    let id = SyncId::new();
    let session = Session::start(&id, at(0), PACE);
    (id, session)
}

/// Two keys, made once: that takes a while.
static KEYS: LazyLock<[OaepPublicKey; 2]> = LazyLock::new(|| {
    [(), ()].map(|()| {
        let pem = OaepPrivateKey::generate_pem().unwrap();
        OaepPrivateKey::from_pem(&pem).unwrap().public().clone()
    })
});

#[test]
fn left_alone_it_shows_its_urls_and_ends() {
    let (id, mut session) = session();
    session.subscribe(at(10), PACE);
    let left = Duration::from_secs(15);
    assert_eq!(session.sight(at(10)), Sight::Run { turn: 1, shown: id.clone(), left });

    assert_eq!(session.advance(at(24), PACE, SyncId::new()), Moved::Stays);
    assert_eq!(session.advance(at(25), PACE, SyncId::new()), Moved::Turned);
    let second = session.shown.clone();
    assert_eq!(session.advance(at(40), PACE, SyncId::new()), Moved::Turned);
    assert_eq!(session.advance(at(54), PACE, SyncId::new()), Moved::Stays);
    assert_eq!(session.advance(at(55), PACE, SyncId::new()), Moved::Over);

    assert!(id != second && second != session.shown && session.shown != id);
}

#[test]
fn nobody_who_comes_later_starts_it_anew() {
    let (_, mut session) = session();
    session.subscribe(at(0), PACE);
    session.advance(at(15), PACE, SyncId::new());
    let before = session.clone();

    session.subscribe(at(20), PACE);

    assert_eq!(session, before);
}

#[test]
fn a_session_that_nobody_looks_at_ends_with_its_life() {
    let (_, mut session) = session();

    assert_eq!(session.advance(at(164), PACE, SyncId::new()), Moved::Stays);
    assert_eq!(session.advance(at(165), PACE, SyncId::new()), Moved::Over);
    assert_eq!(session.sight(at(165)), Sight::Over);
    assert_eq!(session.exchange(&KEYS[0], at(165), PACE), Err(NoExchange::Over));
    assert!(!session.finish(at(165)));
}

#[test]
fn one_key_is_taken_and_a_pause_lasts_from_there() {
    let (_, mut session) = session();
    session.subscribe(at(0), PACE);
    let [key, another] = &*KEYS;

    assert_eq!(session.exchange(key, at(10), PACE), Ok(()));
    assert_eq!(session.exchange(key, at(50), PACE), Ok(()));
    assert_eq!(session.exchange(another, at(50), PACE), Err(NoExchange::KeyIsSet));

    assert_eq!(session.advance(at(100), PACE, SyncId::new()), Moved::Stays);
    assert_eq!(session.sight(at(100)), Sight::Pause { left: Duration::from_secs(30) });
    assert_eq!(session.advance(at(130), PACE, SyncId::new()), Moved::Over);
}

#[test]
fn a_password_counts_after_the_key_alone_and_may_come_twice() {
    let (_, mut session) = session();
    assert!(!session.finish(at(1)));
    session.exchange(&KEYS[0], at(2), PACE).unwrap();

    assert!(session.finish(at(3)));
    assert!(session.finish(at(4)));

    assert_eq!(session.sight(at(5)), Sight::Done);
    assert_eq!(session.exchange(&KEYS[0], at(5), PACE), Err(NoExchange::KeyIsSet));
    assert_eq!(session.advance(at(121), PACE, SyncId::new()), Moved::Stays);
    assert_eq!(session.advance(at(122), PACE, SyncId::new()), Moved::Over);
}

/// What may happen to a session.
#[derive(Debug, Clone)]
enum Event {
    Subscribe,
    Exchange(bool),
    Finish,
    Advance,
}

fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
    let event = prop_oneof![
        1 => Just(Event::Subscribe),
        1 => any::<bool>().prop_map(Event::Exchange),
        1 => Just(Event::Finish),
        4 => Just(Event::Advance),
    ];
    prop::collection::vec((0_u64..40, event), 0..40)
}

proptest! {
    #[test]
    fn whatever_happens_it_only_goes_forward_and_ends_in_time(events in events()) {
        let (_, mut session) = session();
        let (mut now, mut shown) = (0, vec![session.shown.clone()]);
        let mut most = at(165);
        for (pause, event) in events {
            now += pause;
            let before = session.clone();
            match event {
                Event::Subscribe => session.subscribe(at(now), PACE),
                Event::Exchange(which) => {
                    let taken = session.exchange(&KEYS[usize::from(which)], at(now), PACE);
                    prop_assert!(taken.is_err() || session.stage == Stage::Pause);
                    if before.stage == Stage::Run && taken.is_ok() {
                        most = at(now) + PACE.pause;
                    }
                }
                Event::Finish => {
                    let done = session.finish(at(now));
                    prop_assert_eq!(done, before.stage != Stage::Run && !before.is_over(at(now)));
                }
                Event::Advance => match session.advance(at(now), PACE, SyncId::new()) {
                    Moved::Stays => prop_assert_eq!(&session, &before),
                    Moved::Turned => {
                        prop_assert!(!shown.contains(&session.shown));
                        prop_assert_eq!(session.stage, Stage::Run);
                        shown.push(session.shown.clone());
                    }
                    Moved::Over => break,
                },
            }
            let order = |stage| [Stage::Run, Stage::Pause, Stage::Done].iter().position(|other| *other == stage);
            prop_assert!(order(session.stage) >= order(before.stage));
            prop_assert!(before.public_key.is_none() || session.public_key == before.public_key);
            prop_assert_eq!(session.public_key.is_some(), session.stage != Stage::Run);
            prop_assert!(session.turn <= PACE.turns && shown.len() <= usize::from(PACE.turns));
            prop_assert!(session.expires_at <= most);
        }
    }
}
