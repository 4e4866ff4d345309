//! Links that break, and binds that are refused.

use std::collections::HashSet;
use std::time::Duration;

use smpp::codec::{Body, CommandStatus, Pdu, SubmitSmResp};
use smpp::esme::{Esme, EsmeSettings, EsmeState, Event, Password};
use smpp::smsc::{Account, Behaviour, Smsc, SmscSettings, Span};

use crate::harness::{Bound, DEADLINE, accepted_tokens, settings, simulator, wait_counts, wait_state};
use crate::peer;

#[tokio::test]
async fn the_first_connection_may_take_its_time() {
    let smsc = simulator(Behaviour::default()).await;
    smsc.kill();
    let (esme, mut events) = Esme::spawn(settings(smsc.address()));
    wait_state(&esme, |state| matches!(state, EsmeState::Waiting { .. })).await;

    smsc.revive().await.unwrap();

    let event = tokio::time::timeout(DEADLINE, events.recv()).await.unwrap();
    assert!(matches!(event, Some(Event::Bound { system_id }) if system_id == "sealpost-smsc"));
}

#[tokio::test]
async fn refused_credentials_raise_the_alarm() {
    let account = Account { system_id: "acme".into(), password: Password::new("other") };
    let smsc =
        Smsc::start(SmscSettings { accounts: vec![account], ..SmscSettings::default() }).await.unwrap();
    let (wrong_password, _events) = Esme::spawn(settings(smsc.address()));
    let stranger = EsmeSettings { system_id: "stranger".into(), ..settings(smsc.address()) };
    let (stranger, _stranger_events) = Esme::spawn(stranger);
    let right = EsmeSettings { password: Password::new("other"), ..settings(smsc.address()) };

    wait_state(&wrong_password, |state| *state == EsmeState::Alarm { status: CommandStatus::RINVPASWD })
        .await;
    wait_state(&stranger, |state| *state == EsmeState::Alarm { status: CommandStatus::RINVSYSID }).await;
    Bound::spawn(right).await;
}

#[tokio::test]
async fn nothing_is_lost_or_sent_twice_when_the_smsc_dies_again_and_again() {
    const SUBMISSIONS: u64 = 2000;
    let latency = Span { min: Duration::ZERO, max: Duration::from_millis(3) };
    let smsc = simulator(Behaviour { latency, ..Behaviour::default() }).await;
    let mut bound = Bound::to(&smsc).await;
    let (mut answered, mut unknown) = (HashSet::new(), HashSet::new());
    let mut waiting: Vec<u64> = (0..SUBMISSIONS).collect();
    let mut deaths = 0;

    while !waiting.is_empty() {
        bound.submit(waiting.drain(..)).await;
        let due = (deaths + 1) * SUBMISSIONS / 5;
        smsc.behave(|behaviour| behaviour.die_after = (deaths < 4).then_some(due));
        let mut outstanding: HashSet<u64> =
            (0..SUBMISSIONS).filter(|token| !answered.contains(token) && !unknown.contains(token)).collect();
        while !outstanding.is_empty() {
            match bound.event().await {
                Event::Responded(response) => {
                    assert!(outstanding.remove(&response.token) && answered.insert(response.token));
                }
                Event::NotSent { token } => {
                    assert!(outstanding.remove(&token));
                    waiting.push(token);
                }
                Event::Unbound { in_flight, .. } => {
                    for left in in_flight {
                        assert!(outstanding.remove(&left.token) && unknown.insert(left.token));
                    }
                    deaths += 1;
                    smsc.revive().await.unwrap();
                }
                Event::Bound { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        if bound.esme.state() != EsmeState::Bound {
            wait_state(&bound.esme, |state| *state == EsmeState::Bound).await;
        }
    }

    let accepted = accepted_tokens(&smsc);
    let distinct: HashSet<u64> = accepted.iter().copied().collect();
    assert_eq!(accepted.len(), distinct.len(), "a message was sent twice");
    assert!(answered.is_subset(&distinct));
    assert!(distinct.iter().all(|token| answered.contains(token) || unknown.contains(token)));
    assert_eq!(answered.len() + unknown.len(), SUBMISSIONS as usize);
    assert!(deaths >= 4 && !unknown.is_empty(), "{deaths} deaths, {} unknown", unknown.len());
}

#[tokio::test]
async fn what_the_smsc_answered_before_it_broke_the_link_is_heard() {
    // Whether the ESME reads or writes first is chance.
    for _ in 0..10 {
        let (mut bound, mut peer) = peer::bound(|settings| settings).await;
        bound.submit([1]).await;
        let first = peer.read().await;
        bound.submit([2]).await;
        tokio::time::sleep(Duration::from_millis(20)).await;

        // With octets unread, the end is a reset: what the ESME writes from now on fails.
        peer.send(Pdu::ok(first.sequence, Body::SubmitSmResp(SubmitSmResp::default()))).await;
        drop(peer);
        bound.submit([3]).await;

        let Event::Responded(response) = bound.event().await else { panic!("the answer is lost") };
        assert_eq!(response.token, 1);
    }
}

#[tokio::test]
async fn silent_links_are_kept_alive() {
    let smsc = simulator(Behaviour::default()).await;
    let enquire_link = Duration::from_millis(30);
    let bound = Bound::spawn(EsmeSettings { enquire_link, ..settings(smsc.address()) }).await;

    wait_counts(&smsc, |counts| counts.enquiries >= 3).await;

    assert_eq!((bound.esme.state(), bound.esme.stats().binds), (EsmeState::Bound, 1));
}
