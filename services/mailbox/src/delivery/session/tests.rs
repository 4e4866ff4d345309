use common::models::events::PreKeyKind;
use common::models::{AccountId, Base64Bytes, DeviceId, UnixMillis};
use serde_json::json;

use super::*;

pub(super) const WINDOW: Window = Window { envelopes: 8, bytes: 1000 };

pub(super) fn envelope(seq: i64) -> Envelope {
    Envelope {
        guid: EnvelopeId::new(),
        seq,
        kind: 1,
        source_account: AccountId::new(),
        source_device: DeviceId::new(1).unwrap(),
        timestamp: UnixMillis(0),
        server_timestamp: UnixMillis(0),
        content: Base64Bytes(vec![7; 10]),
        urgent: true,
    }
}

fn online() -> OnlineEnvelope {
    OnlineEnvelope {
        guid: EnvelopeId::new(),
        kind: 1,
        source_account: AccountId::new(),
        source_device: DeviceId::new(1).unwrap(),
        timestamp: UnixMillis(0),
        server_timestamp: UnixMillis(0),
        content: Base64Bytes(vec![7; 10]),
    }
}

fn stored(seqs: impl IntoIterator<Item = i64>, more: bool) -> Input {
    Input::Stored { envelopes: seqs.into_iter().map(envelope).collect(), more }
}

pub(super) fn answer_with(id: u64, status: u16) -> Input {
    Input::Frame(ClientFrame::Response(WsResponse { id, status, body: None }))
}

/// What the outputs say, in short: `fetch 0`, `message 1`, `empty 3`, `ack 1`, `keys`, `200`, `close 4409`.
fn said(outputs: &[Output]) -> Vec<String> {
    let frame = |frame: &ServerFrame| match frame {
        ServerFrame::Response(response) => response.status.to_string(),
        ServerFrame::Request(request) => {
            let body = request.body.as_ref().unwrap();
            match request.path.as_str() {
                ws::MESSAGE => format!("message {}", body["seq"]),
                ws::QUEUE_EMPTY => format!("empty {}", body["lastSeq"]),
                ws::KEYS_LOW => "keys".to_owned(),
                ws::ONLINE_MESSAGE => "online".to_owned(),
                path => path.to_owned(),
            }
        }
    };
    let output = |output: &Output| match output {
        Output::Send(sent) => frame(sent),
        Output::Fetch(request) => format!("fetch {}", request.after),
        Output::Ack { seq, .. } => format!("ack {seq}"),
        Output::Close(code) => format!("close {}", code.as_u16()),
    };
    outputs.iter().map(output).collect()
}

fn begin(last_seq: i64) -> Session {
    Session::begin(last_seq, WINDOW).0
}

#[test]
fn an_empty_mailbox_is_told_to_be_empty_at_once() {
    let (session, outputs) = Session::begin(0, WINDOW);

    assert_eq!(said(&outputs), ["empty 0", "fetch 0"]);
    assert_eq!(session.phase(), Phase::Live);
}

#[test]
fn the_end_of_the_backlog_is_told_after_its_last_answer() {
    let mut session = begin(2);

    assert_eq!(said(&session.step(stored([1, 2, 3], false))), ["message 1", "message 2", "message 3"]);
    assert_eq!(said(&session.step(answer_with(2, 200))), ["ack 2"]);
    assert_eq!(said(&session.step(answer_with(1, 500))), ["empty 2"]);
    assert_eq!(said(&session.step(answer_with(3, 204))), ["ack 3"]);
}

#[test]
fn a_backlog_that_was_removed_meanwhile_ends_too() {
    let mut session = begin(5);

    assert_eq!(said(&session.step(stored([], false))), ["empty 5"]);
    assert_eq!(said(&session.step(Input::Notified)), ["fetch 5"]);
}

#[test]
fn every_phase_answers_every_input() {
    let keepalive = || WsRequest { id: 4, verb: "GET".into(), path: ws::KEEPALIVE.into(), body: None };
    let other = || WsRequest { verb: "PUT".into(), ..keepalive() };
    let keys = KeysLow { kind: PreKeyKind::Ec, remaining: 1 };
    type Case = (Input, [&'static [&'static str]; 3]);
    // In the backlog of 9 with 1 and 2 sent, live with 1 and 2 sent, and draining after that.
    let cases: [Case; 12] = [
        (answer_with(1, 200), [&["ack 1"], &["ack 1"], &["ack 1"]]),
        (answer_with(1, 404), [&[], &[], &[]]),
        (answer_with(77, 200), [&[], &[], &[]]),
        (Input::Frame(ClientFrame::Request(keepalive())), [&["200"], &["200"], &[]]),
        (Input::Frame(ClientFrame::Request(other())), [&["404"], &["404"], &[]]),
        (Input::Malformed, [&["close 1007"], &["close 1007"], &[]]),
        (Input::Notified, [&["fetch 2"], &["fetch 2"], &[]]),
        (Input::KeysLow(keys), [&["keys"], &["keys"], &[]]),
        (Input::Online(Box::new(online())), [&["online"], &["online"], &[]]),
        (Input::Displaced, [&["close 4409"], &["close 4409"], &[]]),
        (Input::Revoked, [&["close 4401"], &["close 4401"], &[]]),
        // Not asked for.
        (stored([3], false), [&[], &[], &[]]),
    ];
    for (input, expected) in cases {
        let mut backlog = begin(9);
        backlog.step(stored([1, 2], true));
        // The page after it is on its way; it brings nothing new, and the backlog is not at its end.
        backlog.step(Input::Stored { envelopes: Vec::new(), more: true });
        backlog.behind = false;
        backlog.fetching = false;
        let mut live = begin(0);
        live.step(stored([1, 2], false));
        // The number of `queue/empty` comes before those of the messages.
        live.unanswered =
            std::mem::take(&mut live.unanswered).into_iter().map(|(id, e)| (id - 1, e)).collect();
        let mut draining = begin(9);
        draining.step(stored([1, 2], true));
        draining.step(Input::Displaced);

        let heard =
            [&mut backlog, &mut live, &mut draining].map(|session| said(&session.step(input.clone())));

        assert_eq!(
            heard,
            expected.map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>()),
            "{input:?}"
        );
    }
}

#[test]
fn frames_carry_what_the_page_about_them_says() {
    let mut session = begin(1);
    let given = envelope(1);

    let outputs = session.step(Input::Stored { envelopes: vec![given.clone()], more: false });

    let Output::Send(frame) = &outputs[0] else { panic!("a frame") };
    let body = json!({"guid": given.guid, "seq": 1, "type": 1, "sourceAccount": given.source_account,
        "sourceDevice": 1, "timestamp": 0, "serverTimestamp": 0, "content": "BwcHBwcHBwcHBw==", "urgent": true});
    assert_eq!(
        serde_json::to_value(frame).unwrap(),
        json!({"type": "request", "id": 1, "verb": "PUT", "path": "/v1/message", "body": body})
    );
}

#[test]
fn bytes_hold_a_session_back_as_well_as_envelopes() {
    let (mut session, outputs) = Session::begin(9, Window { envelopes: 8, bytes: 20 });
    let Output::Fetch(first) = outputs[0] else { panic!("a fetch") };

    assert_eq!(said(&session.step(stored([1, 2], true))), ["message 1", "message 2"]);
    let outputs = session.step(answer_with(1, 200));

    assert_eq!((first.limit, first.bytes), (8, 20));
    assert_eq!(said(&outputs), ["ack 1", "fetch 2"]);
    assert_eq!(outputs[1], Output::Fetch(PageRequest { after: 2, limit: 7, bytes: 10 }));
}
