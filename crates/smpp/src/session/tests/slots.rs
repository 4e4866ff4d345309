//! Whatever comes in whatever order, every submission has exactly one outcome and every slot is given back.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::codec::DataSm;

#[derive(Debug, Clone)]
enum Event {
    Submit,
    Query,
    /// Answers the n-th of all requests sent so far, again perhaps.
    Answer {
        nth: usize,
        nack: bool,
        status: u32,
    },
    Wait(u32),
    PeerEnquires,
    PeerUnbinds,
    Unbind,
    Unsendable(usize),
    UnbindResp,
    /// Brings something, which is answered at once.
    Deliver {
        data_sm: bool,
        status: u32,
    },
    Malformed {
        command_id: u32,
    },
    BindsAgain,
    /// The connection goes; so many of the last requests were not written.
    Disconnect {
        unwritten: usize,
    },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => Just(Event::Submit),
        1 => Just(Event::Query),
        8 => (0usize..40, prop::bool::weighted(0.1), proptest::sample::select(vec![0u32, 0x14, 0x58, 0x0B]))
            .prop_map(|(nth, nack, status)| Event::Answer { nth, nack, status }),
        2 => (any::<bool>(), prop_oneof![Just(0u32), Just(0x64)])
            .prop_map(|(data_sm, status)| Event::Deliver { data_sm, status }),
        1 => any::<u32>().prop_map(|command_id| Event::Malformed { command_id }),
        1 => Just(Event::BindsAgain),
        3 => (0u32..15).prop_map(Event::Wait),
        1 => Just(Event::PeerEnquires),
        1 => Just(Event::Unbind),
        1 => (0usize..40).prop_map(Event::Unsendable),
        1 => Just(Event::UnbindResp),
    ]
}

/// Most runs go on for long; then the peer unbinds, or the link is lost, and whatever is still said comes after it.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let end = prop_oneof![
        Just(Event::PeerUnbinds),
        (0usize..3).prop_map(|unwritten| Event::Disconnect { unwritten }),
    ];
    let after = prop::collection::vec(event(), 0..10);
    (prop::collection::vec(event(), 0..120), prop::option::of((end, after))).prop_map(|(mut events, end)| {
        if let Some((end, after)) = end {
            events.push(end);
            events.extend(after);
        }
        events
    })
}

/// What has been said about one submission.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Said {
    ends: u32,
    unknowns: u32,
    late: u32,
}

proptest! {
    #[test]
    fn every_submission_has_one_outcome(events in events(), unwritten in 0usize..3) {
        let mut bench = Bench::bound();
        let mut requests: Vec<(u32, bool)> = Vec::new();
        let mut said: HashMap<u64, Said> = HashMap::new();
        let mut queries = 0i64;
        let mut next_token = 0;
        let mut outputs = Vec::new();

        for event in events {
            let picked = |nth: usize| requests.get(nth % requests.len().max(1)).copied();
            outputs.extend(match event {
                Event::Submit => {
                    next_token += 1;
                    said.insert(next_token, Said::default());
                    bench.submit(next_token)
                }
                Event::Query => {
                    queries += 1;
                    bench.step(Input::Query { token: 0, pdu: QuerySm::default() })
                }
                Event::Answer { nth, nack, status } => match picked(nth) {
                    Some((sequence, _)) if nack => bench.receive(sequence, status, Body::GenericNack),
                    Some((sequence, true)) => bench.submit_resp(sequence, status),
                    Some((sequence, false)) => {
                        bench.receive(sequence, status, Body::QuerySmResp(QuerySmResp::default()))
                    }
                    None => Vec::new(),
                },
                Event::Wait(seconds) => bench.after(seconds * SECOND),
                Event::PeerEnquires => bench.receive(1, 0, Body::EnquireLink),
                Event::Unbind => bench.step(Input::Unbind { patience: 5 * SECOND }),
                Event::Unsendable(nth) => match picked(nth) {
                    Some((sequence, _)) => bench.step(Input::Unsendable {
                        sequence,
                        error: EncodeError::Character("text"),
                    }),
                    None => Vec::new(),
                },
                Event::UnbindResp => bench.receive(1, 0, Body::UnbindResp),
                Event::PeerUnbinds => bench.receive(1, 0, Body::Unbind),
                Event::Deliver { data_sm, status } => deliver_and_answer(&mut bench, data_sm, status)?,
                Event::Malformed { command_id } => bench.step(Input::Malformed(BadPdu {
                    header: Header { length: 16, command_id, status: CommandStatus::ROK, sequence: 1 },
                    fault: Fault::UnknownCommand,
                })),
                Event::BindsAgain => bench.receive(1, 0, Body::BindTransceiverResp(BindResp::default())),
                Event::Disconnect { unwritten } => bench.step(Input::Disconnected { unwritten: last(&requests, unwritten) }),
            });
            for output in &outputs {
                if let Output::Send(pdu) = output
                    && let Body::SubmitSm(_) | Body::QuerySm(_) = pdu.body
                {
                    let known = (pdu.sequence, matches!(pdu.body, Body::SubmitSm(_)));
                    prop_assert!(!requests.contains(&known), "a sequence number was used twice");
                    requests.push(known);
                }
            }
            prop_assert!(bench.session.in_flight() <= 2);
            tally(&mut said, &mut queries, outputs.drain(..));
        }
        let rest = bench.step(Input::Disconnected { unwritten: last(&requests, unwritten) });
        tally(&mut said, &mut queries, rest.into_iter());

        prop_assert_eq!(bench.session.in_flight(), 0);
        prop_assert_eq!(queries, 0);
        for (token, said) in said {
            prop_assert_eq!(said.ends, 1, "submission {}: {:?}", token, said);
            prop_assert!(said.unknowns <= 1 && said.late <= said.unknowns, "submission {}: {:?}", token, said);
        }
    }
}

/// The sequence numbers of the last requests.
fn last(requests: &[(u32, bool)], count: usize) -> Vec<u32> {
    requests.iter().rev().take(count).map(|&(sequence, _)| sequence).collect()
}

/// While the session is up, what is delivered is answered with the owner's status under the peer's number.
fn deliver_and_answer(bench: &mut Bench, data_sm: bool, status: u32) -> Result<Vec<Output>, TestCaseError> {
    let (sequence, status) = (77, CommandStatus(status));
    let (brings, answers) = if data_sm {
        (Body::DataSm(DataSm::default()), Body::DataSmResp(DataSmResp::default()))
    } else {
        (Body::DeliverSm(DeliverSm::default()), Body::DeliverSmResp)
    };
    let mut outputs = bench.receive(sequence, 0, brings);
    if let Some(Output::Deliver { id, .. }) = outputs.first() {
        let answer = bench.step(Input::Answer { id: *id, status });
        prop_assert_eq!(answer.first(), Some(&Output::Send(Pdu { status, sequence, body: answers })));
        outputs.extend(answer);
    }
    Ok(outputs)
}

fn tally(said: &mut HashMap<u64, Said>, queries: &mut i64, outputs: impl Iterator<Item = Output>) {
    for output in outputs {
        match output {
            Output::Responded(Response { token, .. })
            | Output::NotSent { token }
            | Output::Invalid { token, .. } => {
                let said = said.get_mut(&token).unwrap();
                said.ends += 1;
                // After an Unknown only a late response may follow, or a place in the list of the end.
                assert!(said.unknowns == 0 || matches!(output, Output::Invalid { .. }), "submission {token}");
            }
            Output::LateResponse(Response { token, .. }) => {
                let said = said.get_mut(&token).unwrap();
                said.ends += 1;
                said.late += 1;
            }
            Output::Unknown { token } => said.get_mut(&token).unwrap().unknowns += 1,
            Output::Queried { .. } => *queries -= 1,
            Output::Ended { in_flight } => {
                for InFlight { token, reported } in in_flight {
                    let said = said.get_mut(&token).unwrap();
                    said.ends += 1;
                    assert_eq!(reported, said.unknowns == 1, "submission {token}");
                }
            }
            Output::Send(_)
            | Output::Close(_)
            | Output::Bound(_)
            | Output::Deliver { .. }
            | Output::Unexpected { .. } => {}
        }
    }
}
