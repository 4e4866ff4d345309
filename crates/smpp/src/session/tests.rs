//! Transitions by phase, and that no slot is lost or freed twice whatever happens.

mod endings;
mod slots;
mod versions;

use super::*;
use crate::codec::{AlertNotification, CommandId, DeliverSm, Fault, Header, Outbind, QuerySm, QuerySmResp};

const SECOND: Duration = Duration::from_secs(1);

/// A session with a clock that tests turn by hand. Window 2, 10 s for responses, 30 s of silence.
struct Bench {
    session: Session,
    now: Instant,
}

impl Bench {
    fn fresh() -> Self {
        Self::of_kind(BindKind::Transceiver)
    }

    fn of_kind(kind: BindKind) -> Self {
        let settings = SessionSettings {
            kind,
            bind: Bind { system_id: "acme".into(), interface_version: 0x34, ..Bind::default() },
            window: 2,
            response_timeout: 10 * SECOND,
            enquire_link: 30 * SECOND,
        };
        let now = Instant::now();
        Self { session: Session::new(settings, now), now }
    }

    /// Bound; the bind took sequence number 1.
    fn bound() -> Self {
        let mut bench = Self::fresh();
        bench.step(Input::Connected);
        bench.receive(1, 0, Body::BindTransceiverResp(BindResp::default()));
        bench
    }

    fn step(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.session.step(self.now, input, &mut out);
        out
    }

    fn receive(&mut self, sequence: u32, status: u32, body: Body) -> Vec<Output> {
        self.step(Input::Received(Pdu { status: CommandStatus(status), sequence, body }))
    }

    fn submit(&mut self, token: u64) -> Vec<Output> {
        self.step(Input::Submit { token, pdu: SubmitSm::default() })
    }

    fn submit_resp(&mut self, sequence: u32, status: u32) -> Vec<Output> {
        self.receive(
            sequence,
            status,
            Body::SubmitSmResp(crate::codec::SubmitSmResp { message_id: "m".into() }),
        )
    }

    fn after(&mut self, time: Duration) -> Vec<Output> {
        self.now += time;
        self.step(Input::Tick)
    }
}

fn sent(sequence: u32, body: Body) -> Output {
    Output::Send(Pdu::ok(sequence, body))
}

fn submitted(sequence: u32) -> Output {
    sent(sequence, Body::SubmitSm(SubmitSm::default()))
}

fn response(token: u64, status: u32, message_id: &str) -> Response {
    Response { token, status: CommandStatus(status), message_id: message_id.into(), took: Duration::ZERO }
}

#[test]
fn bind_follows_the_connection_once() {
    let mut bench = Bench::fresh();
    let bind = bench.session.settings.bind.clone();

    assert_eq!(bench.step(Input::Connected), [sent(1, Body::BindTransceiver(bind))]);
    assert_eq!(bench.step(Input::Connected), []);
}

#[test]
fn bind_answers_decide() {
    let cases = [
        (1, 0, Body::BindTransceiverResp(BindResp::default()), Output::Bound(BindResp::default())),
        (
            1,
            0x0E,
            Body::BindTransceiverResp(BindResp::default()),
            Output::Close(CloseReason::Refused(CommandStatus::RINVPASWD)),
        ),
        (1, 0x03, Body::GenericNack, Output::Close(CloseReason::Refused(CommandStatus::RINVCMDID))),
        (7, 0, Body::BindTransceiverResp(BindResp::default()), Output::Unexpected { what: "bind response" }),
    ];

    for (sequence, status, body, expected) in cases {
        let mut bench = Bench::fresh();
        bench.step(Input::Connected);
        assert_eq!(bench.receive(sequence, status, body), [expected]);
    }
}

#[test]
fn bind_without_an_answer_ends() {
    let mut bench = Bench::fresh();
    bench.step(Input::Connected);

    assert_eq!(bench.after(9 * SECOND), []);
    assert_eq!(bench.after(SECOND), [Output::Close(CloseReason::BindTimeout)]);
}

#[test]
fn nothing_is_submitted_without_a_bind_that_may() {
    let mut fresh = Bench::fresh();
    let mut receiver = Bench::of_kind(BindKind::Receiver);
    receiver.step(Input::Connected);
    receiver.receive(1, 0, Body::BindReceiverResp(BindResp::default()));
    let mut closed = Bench::bound();
    closed.receive(9, 0, Body::Unbind);
    let mut draining = Bench::bound();
    draining.submit(1);
    draining.step(Input::Unbind { patience: SECOND });

    for bench in [&mut fresh, &mut receiver, &mut closed, &mut draining] {
        assert_eq!(bench.session.room(), 0);
        assert_eq!(bench.submit(5), [Output::NotSent { token: 5 }]);
        assert_eq!(
            bench.step(Input::Query { token: 6, pdu: QuerySm::default() }),
            [Output::Queried { token: 6, result: Err(QueryError::NotSent) }]
        );
    }
}

#[test]
fn window_bounds_what_is_under_way() {
    let mut bench = Bench::bound();

    assert_eq!(bench.submit(10), [submitted(2)]);
    assert_eq!(bench.submit(11), [submitted(3)]);
    assert_eq!(bench.submit(12), [Output::NotSent { token: 12 }]);
    assert_eq!(bench.submit_resp(3, 0), [Output::Responded(response(11, 0, "m"))]);
    assert_eq!(bench.submit(13), [submitted(4)]);
}

#[test]
fn timed_out_slot_stays_taken_until_its_late_response() {
    let mut bench = Bench::bound();
    bench.submit(10);
    bench.after(5 * SECOND);
    bench.submit(11);

    assert_eq!(bench.after(5 * SECOND), [Output::Unknown { token: 10 }]);
    assert_eq!(bench.session.room(), 0);
    let late = Response { took: 10 * SECOND, ..response(10, 0, "m") };
    assert_eq!(bench.submit_resp(2, 0), [Output::LateResponse(late)]);
    assert_eq!(bench.session.room(), 1);
    assert_eq!(bench.submit_resp(2, 0), [Output::Unexpected { what: "submit_sm_resp" }]);
}

#[test]
fn window_of_overdue_requests_ends_the_session() {
    let mut bench = Bench::bound();
    bench.submit(10);
    bench.submit(11);

    assert_eq!(bench.after(10 * SECOND), [Output::Unknown { token: 10 }, Output::Unknown { token: 11 }]);
    assert_eq!(bench.after(9 * SECOND), []);
    assert_eq!(bench.after(SECOND), [Output::Close(CloseReason::WindowStuck)]);
    assert_eq!(
        bench.step(Input::Disconnected { unwritten: vec![] }),
        [Output::Ended {
            in_flight: vec![InFlight { token: 10, reported: true }, InFlight { token: 11, reported: true }]
        }]
    );
}

#[test]
fn nack_of_a_submission_is_its_refusal() {
    let mut bench = Bench::bound();
    bench.submit(10);

    assert_eq!(bench.receive(2, 0x03, Body::GenericNack), [Output::Responded(response(10, 3, ""))]);
    assert_eq!(bench.receive(2, 0x03, Body::GenericNack), [Output::Unexpected { what: "generic_nack" }]);
}

#[test]
fn nack_without_a_status_is_not_taken_for_success() {
    let mut bench = Bench::bound();
    bench.submit(10);

    assert_eq!(bench.receive(2, 0, Body::GenericNack), [Output::Responded(response(10, 0xFF, ""))]);
}

#[test]
fn query_has_its_own_answer() {
    let mut bench = Bench::bound();
    let ask = |token| Input::Query { token, pdu: QuerySm::default() };
    let answer = || Body::QuerySmResp(QuerySmResp::default());

    bench.step(ask(1));
    bench.step(ask(2));
    assert_eq!(bench.submit_resp(2, 0), [Output::Unexpected { what: "submit_sm_resp" }]);
    assert_eq!(
        bench.receive(2, 0, answer()),
        [Output::Queried { token: 1, result: Ok(QuerySmResp::default()) }]
    );
    assert_eq!(
        bench.receive(3, 0x67, answer()),
        [Output::Queried { token: 2, result: Err(QueryError::Refused(CommandStatus::RQUERYFAIL)) }]
    );
    bench.step(ask(3));
    assert_eq!(bench.after(10 * SECOND), [Output::Queried { token: 3, result: Err(QueryError::NoAnswer) }]);
    assert_eq!(bench.receive(4, 0, answer()), [Output::Unexpected { what: "query_sm_resp" }]);
}

#[test]
fn silence_is_probed_and_then_ends_the_session() {
    let mut bench = Bench::bound();

    assert_eq!(bench.session.next_deadline(), Some(bench.now + 30 * SECOND));
    assert_eq!(bench.after(30 * SECOND), [sent(2, Body::EnquireLink)]);
    assert_eq!(bench.receive(2, 0, Body::EnquireLinkResp), []);
    assert_eq!(bench.after(29 * SECOND), []);
    assert_eq!(bench.after(SECOND), [sent(3, Body::EnquireLink)]);
    assert_eq!(bench.after(9 * SECOND), []);
    assert_eq!(bench.after(SECOND), [Output::Close(CloseReason::LinkDead)]);
}

#[test]
fn any_pdu_proves_that_the_peer_lives() {
    let mut bench = Bench::bound();
    bench.after(30 * SECOND);

    assert_eq!(bench.receive(77, 0, Body::EnquireLink), [sent(77, Body::EnquireLinkResp)]);
    assert_eq!(bench.after(10 * SECOND), []);
}

#[test]
fn deliveries_are_answered_when_the_owner_says_so() {
    let mut bench = Bench::bound();
    let (deliver, data) =
        (DeliveryId { sequence: 8, data_sm: false }, DeliveryId { sequence: 9, data_sm: true });

    let brought = bench.receive(8, 0, Body::DeliverSm(DeliverSm::default()));
    assert_eq!(brought, [Output::Deliver { id: deliver, message: DeliverSm::default() }]);
    let brought = bench.receive(9, 0, Body::DataSm(crate::codec::DataSm::default()));
    assert_eq!(brought, [Output::Deliver { id: data, message: DeliverSm::default() }]);
    assert_eq!(
        bench.step(Input::Answer { id: deliver, status: CommandStatus::RX_T_APPN }),
        [Output::Send(Pdu { status: CommandStatus::RX_T_APPN, sequence: 8, body: Body::DeliverSmResp })]
    );
    assert_eq!(
        bench.step(Input::Answer { id: data, status: CommandStatus::ROK }),
        [sent(9, Body::DataSmResp(DataSmResp::default()))]
    );
}

#[test]
fn odd_pdus_are_nacked_and_the_session_lives() {
    let mut bench = Bench::bound();
    let bad = |command_id| BadPdu {
        header: Header { length: 16, command_id, status: CommandStatus::ROK, sequence: 5 },
        fault: Fault::UnknownCommand,
    };
    let nack = Output::Send(Pdu { status: CommandStatus::RINVCMDID, sequence: 5, body: Body::GenericNack });

    assert_eq!(
        bench.step(Input::Malformed(bad(0x777))),
        [Output::Unexpected { what: "malformed PDU" }, nack.clone()]
    );
    assert_eq!(
        bench.step(Input::Malformed(bad(0x8000_0777))),
        [Output::Unexpected { what: "malformed PDU" }]
    );
    assert_eq!(
        bench.receive(5, 0, Body::SubmitSm(SubmitSm::default())),
        [Output::Unexpected { what: CommandId::SubmitSm.as_str() }, nack]
    );
    assert_eq!(bench.submit(10), [submitted(2)]);
}

#[test]
fn alerts_are_taken_in_silence_and_outbind_changes_nothing() {
    let mut bench = Bench::bound();

    let alerted = bench.receive(5, 0, Body::AlertNotification(AlertNotification::default()));
    let outbound = bench.receive(6, 0, Body::Outbind(Outbind::default()));

    assert_eq!(alerted, []);
    assert_eq!(outbound, [Output::Unexpected { what: "outbind" }]);
    assert_eq!(bench.submit(10), [submitted(2)]);
}

#[test]
fn disconnect_tells_what_was_never_written_from_what_is_unknown() {
    let mut bench = Bench::bound();
    bench.submit(10);
    bench.submit(11);

    assert_eq!(
        bench.step(Input::Disconnected { unwritten: vec![3] }),
        [
            Output::NotSent { token: 11 },
            Output::Ended { in_flight: vec![InFlight { token: 10, reported: false }] }
        ]
    );
}

#[test]
fn what_does_not_fit_gives_its_slot_back() {
    let mut bench = Bench::bound();
    let error = EncodeError::Character("source_addr");
    bench.submit(10);

    assert_eq!(bench.step(Input::Unsendable { sequence: 2, error }), [Output::Invalid { token: 10, error }]);
    assert_eq!(bench.session.in_flight(), 0);
}

#[test]
fn sequence_numbers_wrap_and_skip_those_in_use() {
    let mut bench = Bench::bound();
    bench.session.window.continue_after(0);
    assert_eq!(bench.submit(10), [submitted(1)]);

    bench.session.window.continue_after(0x7FFF_FFFE);
    assert_eq!(bench.submit(11), [submitted(0x7FFF_FFFF)]);
    bench.submit_resp(0x7FFF_FFFF, 0);
    assert_eq!(bench.submit(12), [submitted(2)]);
}
