//! The simulator's own promises: what was asked for happens, and happens again with the same seed.

use std::time::Duration;

use smpp::codec::{CommandStatus, DeliverSm};
use smpp::esme::{CloseReason, Esme, EsmeSettings, EsmeState, Event, LinkError};
use smpp::smsc::{
    Behaviour, Binds, FinalState, IdFormat, ReceiptFormat, ReceiptShape, Receipts, Smsc, SmscSettings, Span,
    WrongIds,
};

use crate::harness::{Bound, settings, simulator, wait_counts, wait_state};

/// Sends one after another, and gives status and id of each answer.
async fn answers(bound: &mut Bound, count: u64) -> Vec<(CommandStatus, String)> {
    let mut answers = Vec::new();
    for token in 0..count {
        bound.submit([token]).await;
        let response = bound.response().await;
        answers.push((response.status, response.message_id));
    }
    answers
}

fn with_receipts(receipts: Receipts) -> Behaviour {
    Behaviour { receipts: Some(receipts), ..Behaviour::default() }
}

async fn receipt(bound: &mut Bound) -> DeliverSm {
    let delivery = bound.delivery().await;
    let message = delivery.message.clone();
    delivery.answer(CommandStatus::ROK);
    message
}

#[tokio::test]
async fn the_same_seed_and_order_give_the_same_run() {
    let run = async |seed| {
        let behaviour = Behaviour {
            throttle: 0.1,
            queue_full: 0.1,
            wrong_ids: WrongIds { another: 0.2, never_given: 0.1, empty: 0.1 },
            receipts: Some(Receipts {
                shapes: ReceiptShape::ALL.to_vec(),
                outcomes: vec![(1, FinalState::DELIVERED), (1, FinalState::from_word("UNDELIV", 5).unwrap())],
                twice: 0.3,
                drop: 0.3,
                ..Receipts::default()
            }),
            ..Behaviour::default()
        };
        let smsc = Smsc::start(SmscSettings { behaviour, seed, ..SmscSettings::default() }).await.unwrap();
        let unpaced =
            EsmeSettings { throttle_pause: Duration::ZERO, tps: Some(1e6), ..settings(smsc.address()) };
        let mut bound = Bound::spawn(unpaced).await;
        let answers = answers(&mut bound, 40).await;
        let states: Vec<_> = smsc.accepted().iter().map(|accepted| accepted.state).collect();
        (answers, states)
    };

    let (first, again, other) = (run(5).await, run(5).await, run(6).await);

    assert_eq!(first, again);
    assert_ne!(first, other);
}

#[tokio::test]
async fn answers_may_give_wrong_ids_while_receipts_give_the_right_ones() {
    let kinds = [
        (WrongIds { another: 1.0, ..WrongIds::default() }, ["9000000001", "1"]),
        (WrongIds { never_given: 1.0, ..WrongIds::default() }, ["9000000001", "9000000002"]),
        (WrongIds { empty: 1.0, ..WrongIds::default() }, ["", ""]),
    ];

    for (wrong_ids, expected) in kinds {
        let smsc = simulator(Behaviour { wrong_ids, ..with_receipts(Receipts::default()) }).await;
        let mut bound = Bound::to(&smsc).await;
        let ids: Vec<String> = answers(&mut bound, 2).await.into_iter().map(|(_, id)| id).collect();
        assert_eq!(ids, expected);
        assert_eq!(smsc.accepted()[1].message_id, "2");
    }
}

#[tokio::test]
async fn receipts_may_name_a_message_in_another_base_or_the_wrong_one() {
    let kinds = [
        (Receipts { ids: Some(IdFormat::UpperHex), ..Receipts::default() }, "1"),
        (Receipts { ids: Some(IdFormat::Padded), ..Receipts::default() }, "0000000001"),
        (
            Receipts {
                wrong_ids: WrongIds { never_given: 1.0, ..WrongIds::default() },
                ..Receipts::default()
            },
            "9000000001",
        ),
    ];

    for (receipts, expected) in kinds {
        let smsc = simulator(with_receipts(receipts)).await;
        let mut bound = Bound::to(&smsc).await;
        bound.submit([1]).await;
        assert_eq!(receipt(&mut bound).await.tlvs.receipted_message_id(), Some(expected));
    }
}

#[tokio::test]
async fn receipts_have_every_shape_that_was_asked_for() {
    for shape in ReceiptShape::ALL {
        let receipts = Receipts { shapes: vec![shape], format: ReceiptFormat::Text, ..Receipts::default() };
        let smsc = simulator(with_receipts(receipts)).await;
        let mut bound = Bound::to(&smsc).await;
        bound.submit([1]).await;

        let receipt = receipt(&mut bound).await;

        let text = String::from_utf8(receipt.text().to_vec()).unwrap();
        assert!(receipt.is_receipt() && text.to_lowercase().replace(' ', "").contains("id:1"), "{text}");
        assert_eq!(receipt.short_message.is_empty(), shape.in_payload, "{text}");
    }
}

#[tokio::test]
async fn receipts_may_come_first_twice_as_data_sm_or_never() {
    let all = |receipts| async {
        let smsc = simulator(with_receipts(receipts)).await;
        (Bound::to(&smsc).await, smsc)
    };
    let (mut first, _smsc) = all(Receipts { before_response: 1.0, ..Receipts::default() }).await;
    let (mut twice, twice_smsc) = all(Receipts { twice: 1.0, ..Receipts::default() }).await;
    let (mut data, data_smsc) = all(Receipts { by_data_sm: 1.0, ..Receipts::default() }).await;
    let (mut never, never_smsc) = all(Receipts { drop: 1.0, ..Receipts::default() }).await;

    for bound in [&first, &twice, &data, &never] {
        bound.submit([1]).await;
    }

    assert!(matches!(first.event().await, Event::Deliver(_)));
    assert!(matches!(first.event().await, Event::Responded(_)));
    assert_eq!(receipt(&mut twice).await, receipt(&mut twice).await);
    wait_counts(&twice_smsc, |counts| counts.delivered == 2).await;
    let by_data_sm = receipt(&mut data).await;
    assert!(by_data_sm.short_message.is_empty() && by_data_sm.text().starts_with(b"id:1 "));
    wait_counts(&data_smsc, |counts| counts.delivered == 1).await;
    assert!(never.response().await.status.is_ok());
    // A message of a handset that comes after it would have come after the receipt too.
    never_smsc.deliver("acme", DeliverSm { short_message: b"hello".to_vec(), ..DeliverSm::default() });
    assert!(!never.delivery().await.message.is_receipt());
}

#[tokio::test]
async fn requests_may_be_lost_before_they_are_accepted() {
    let smsc = simulator(Behaviour { drop_requests: 1.0, ..Behaviour::default() }).await;
    let response_timeout = Duration::from_millis(100);
    let mut bound = Bound::spawn(EsmeSettings { response_timeout, ..settings(smsc.address()) }).await;

    bound.submit([1]).await;

    assert!(matches!(bound.event().await, Event::Unknown { token: 1 }));
    assert_eq!((smsc.accepted().len(), smsc.counts().borrow().refused), (0, 1));
}

#[tokio::test]
async fn answers_that_are_held_back_are_overtaken() {
    let smsc = simulator(Behaviour { reorder: 0.5, ..Behaviour::default() }).await;
    let mut bound = Bound::to(&smsc).await;

    bound.submit(0..10).await;
    let mut tokens = Vec::new();
    for _ in 0..10 {
        tokens.push(bound.response().await.token);
    }

    assert!(!tokens.is_sorted(), "{tokens:?}");
}

#[tokio::test]
async fn it_dies_and_lives_again_by_itself() {
    let smsc = simulator(Behaviour {
        die_after: Some(3),
        revive_after: Some(Duration::from_millis(50)),
        ..Behaviour::default()
    })
    .await;
    let mut bound = Bound::spawn(EsmeSettings { window: 1, ..settings(smsc.address()) }).await;

    for life in 1..=3u64 {
        bound.submit(0..3).await;
        let Event::Unbound { in_flight, .. } = ({
            let mut answered = 0;
            loop {
                match bound.event().await {
                    Event::Responded(_) => answered += 1,
                    other => {
                        assert_eq!(answered, 2);
                        break other;
                    }
                }
            }
        }) else {
            panic!()
        };
        assert_eq!(in_flight.len(), 1);
        bound.wait_bound().await;
        assert_eq!(smsc.counts().borrow().accepted, 3 * life);
    }
}

#[tokio::test]
async fn binds_may_be_refused_for_a_time() {
    let binds = Binds { refuse: Some(CommandStatus::RINVPASWD), ..Binds::default() };
    let smsc = simulator(Behaviour { binds, ..Behaviour::default() }).await;
    let (esme, _events) = Esme::spawn(settings(smsc.address()));

    wait_state(&esme, |state| *state == EsmeState::Alarm { status: CommandStatus::RINVPASWD }).await;
    smsc.behave(|behaviour| behaviour.binds.refuse = None);
    wait_state(&esme, |state| *state == EsmeState::Bound).await;
}

#[tokio::test]
async fn one_bind_too_many_is_refused_until_another_ends() {
    let binds = Binds { most: Some(1), ..Binds::default() };
    let smsc = simulator(Behaviour { binds, ..Behaviour::default() }).await;
    let first = Bound::to(&smsc).await;
    let (second, _events) = Esme::spawn(settings(smsc.address()));
    let refused = LinkError::Closed(CloseReason::Refused(CommandStatus::RALYBND));
    wait_state(&second, |state| *state == EsmeState::Waiting { error: refused }).await;
    Bound::spawn(EsmeSettings { system_id: "other".into(), ..settings(smsc.address()) }).await;

    drop(first);

    wait_state(&second, |state| *state == EsmeState::Bound).await;
}

#[tokio::test]
async fn a_mute_smsc_answers_messages_but_no_enquiries() {
    let smsc = simulator(Behaviour {
        ignore_enquire_link: true,
        latency: Span::exactly(Duration::from_millis(1)),
        ..Behaviour::default()
    })
    .await;
    let impatient = EsmeSettings {
        enquire_link: Duration::from_millis(50),
        response_timeout: Duration::from_secs(3),
        ..settings(smsc.address())
    };
    let mut bound = Bound::spawn(impatient).await;

    bound.submit([1]).await;

    assert!(bound.response().await.status.is_ok());
    let Event::Unbound { reason, .. } = bound.event().await else { panic!() };
    assert_eq!(reason, LinkError::Closed(CloseReason::LinkDead));
}
