//! How a session ends: by an unbind of ours, or of the peer.

use super::*;

#[test]
fn unbind_waits_for_responses() {
    let mut bench = Bench::bound();
    bench.submit(10);

    assert_eq!(bench.step(Input::Unbind { patience: 5 * SECOND }), []);
    assert_eq!(bench.submit_resp(2, 0), [Output::Responded(response(10, 0, "m")), sent(3, Body::Unbind)]);
    assert_eq!(bench.receive(3, 0, Body::UnbindResp), [Output::Close(CloseReason::Requested)]);
}

#[test]
fn unbind_does_not_wait_for_ever() {
    let mut bench = Bench::bound();
    bench.submit(10);
    bench.step(Input::Unbind { patience: 5 * SECOND });

    assert_eq!(bench.after(5 * SECOND), [sent(3, Body::Unbind)]);
    assert_eq!(
        bench.after(10 * SECOND),
        [Output::Close(CloseReason::Requested), Output::Unknown { token: 10 }]
    );
}

#[test]
fn unbind_before_the_bind_just_closes() {
    let mut bench = Bench::fresh();
    bench.step(Input::Connected);

    assert_eq!(bench.step(Input::Unbind { patience: SECOND }), [Output::Close(CloseReason::Requested)]);
}

#[test]
fn unbind_of_the_peer_is_answered() {
    let mut bench = Bench::bound();

    assert_eq!(
        bench.receive(4, 0, Body::Unbind),
        [sent(4, Body::UnbindResp), Output::Close(CloseReason::PeerUnbound)]
    );
    assert_eq!(bench.session.next_deadline(), None);
}

#[test]
fn unbind_of_the_peer_waits_for_what_it_still_answers() {
    let mut bench = Bench::bound();
    bench.submit(10);
    bench.submit(11);

    assert_eq!(bench.receive(4, 0, Body::Unbind), []);
    assert_eq!(bench.session.room(), 0);
    assert_eq!(bench.submit_resp(2, 0), [Output::Responded(response(10, 0, "m"))]);
    assert_eq!(bench.receive(4, 0, Body::Unbind), []);
    assert_eq!(
        bench.submit_resp(3, 0),
        [
            Output::Responded(response(11, 0, "m")),
            sent(4, Body::UnbindResp),
            Output::Close(CloseReason::PeerUnbound)
        ]
    );
}

#[test]
fn unbind_of_the_peer_is_answered_soon_without_its_answers() {
    let mut bench = Bench::bound();
    bench.submit(10);
    bench.receive(4, 0, Body::Unbind);

    assert_eq!(bench.session.next_deadline(), Some(bench.now + LAST_ANSWERS));
    assert_eq!(
        bench.after(LAST_ANSWERS),
        [sent(4, Body::UnbindResp), Output::Close(CloseReason::PeerUnbound)]
    );
}

#[test]
fn a_stuck_window_does_not_keep_an_unbind_busy() {
    let mut bench = Bench::bound();
    bench.submit(10);
    bench.submit(11);
    bench.after(10 * SECOND);
    bench.after(9 * SECOND);

    // All that is under way is overdue, so nothing is waited for but the answer to the unbind.
    assert_eq!(bench.step(Input::Unbind { patience: 5 * SECOND }), [sent(4, Body::Unbind)]);
    bench.after(SECOND);
    assert_eq!(bench.session.next_deadline(), Some(bench.now + 9 * SECOND));
    assert_eq!(bench.after(9 * SECOND), [Output::Close(CloseReason::Requested)]);
}

#[test]
fn half_of_the_window_lost_for_long_ends_the_session_in_good_order() {
    let mut bench = Bench::bound();
    bench.submit(10);
    assert_eq!(bench.after(10 * SECOND), [Output::Unknown { token: 10 }]);
    for sequence in 3..8 {
        bench.submit(u64::from(sequence));
        bench.after(9 * SECOND);
        bench.submit_resp(sequence, 0);
    }
    bench.submit(11);

    // A minute after the first one was sent.
    assert_eq!(bench.session.next_deadline(), Some(bench.now + 5 * SECOND));
    assert_eq!(bench.after(5 * SECOND), []);
    assert_eq!(bench.session.room(), 0);
    assert_eq!(
        bench.submit_resp(8, 0),
        [Output::Responded(Response { took: 5 * SECOND, ..response(11, 0, "m") }), sent(9, Body::Unbind)]
    );
    assert_eq!(bench.receive(9, 0, Body::UnbindResp), [Output::Close(CloseReason::WindowWorn)]);
}
