//! Websockets without a header.

use std::time::Duration;

use common::models::{AccountId, Clock, SystemClock};
use futures_util::future::join_all;
use serde_json::json;
use testkit::clock::FakeClock;
use testkit::database::TestDb;

use crate::harness::TestApp;

testkit::on_both! {
    async fn a_ticket_opens_one_websocket(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (alice, bob) = (app.device().await, app.device().await);
        let ticket = bob.ticket().await;

        let attempts = join_all((0..8).map(|_| bob.connect_with_ticket(&ticket))).await;

        let (mut opened, refused): (Vec<_>, Vec<_>) = attempts.into_iter().partition(Result::is_ok);
        assert_eq!((opened.len(), refused.len()), (1, 7));
        assert!(refused.into_iter().all(|refusal| refusal.err() == Some(401)));
        let mut socket = opened.remove(0).unwrap();
        socket.queue_empty().await;
        alice.send(&bob, "x").await.assert_status(200);
        assert_eq!(socket.envelope().await.1, 1);
        app.host.stop().await;
    }

    async fn a_ticket_is_void_after_its_time_or_the_next_one(test: TestDb) {
        let clock = FakeClock::default();
        let app = TestApp::start_at(&test, &[], clock.shared()).await;
        let bob = app.device().await;
        let (first, second) = (bob.ticket().await, bob.ticket().await);

        assert_eq!(bob.connect_with_ticket(&first).await.err(), Some(401));
        clock.advance(Duration::from_secs(29));
        bob.connect_with_ticket(&second).await.unwrap().queue_empty().await;

        let third = bob.ticket().await;
        clock.advance(Duration::from_secs(30));
        assert_eq!(bob.connect_with_ticket(&third).await.err(), Some(401));
        app.host.stop().await;
    }

    async fn a_ticket_ends_with_its_session_and_its_device(test: TestDb) {
        let app = TestApp::start(&test).await;
        let (bob, carol) = (app.device().await, app.device().await);
        let (of_bob, of_carol) = (bob.ticket().await, carol.ticket().await);
        let now = SystemClock.now().as_i64();

        let event = json!({"type": "session.revoked", "accountId": bob.account, "at": now, "sessionId": bob.session});
        app.nudge(&event).await;
        app.close(&carol, carol.generation).await.assert_status(204);

        assert_eq!(bob.connect_with_ticket(&of_bob).await.err(), Some(401));
        assert_eq!(carol.connect_with_ticket(&of_carol).await.err(), Some(401));
        app.host.stop().await;
    }

    async fn a_socket_that_a_ticket_opened_is_closed_with_its_session(test: TestDb) {
        let app = TestApp::start(&test).await;
        let bob = app.device().await;
        let mut socket = bob.connect_with_ticket(&bob.ticket().await).await.unwrap();
        socket.queue_empty().await;

        let now = SystemClock.now().as_i64();
        let event = json!({"type": "session.revoked", "accountId": bob.account, "at": now, "sessionId": bob.session});
        app.nudge(&event).await;

        assert_eq!(socket.closed().await, 4401);
        app.host.stop().await;
    }

    async fn other_text_is_refused_like_a_used_ticket(test: TestDb) {
        let app = TestApp::start(&test).await;
        let bob = app.device().await;
        let ticket = bob.ticket().await;
        let (_, token) = ticket.rsplit_once('.').unwrap();
        let of_another = format!("{}.1.{token}", AccountId::new());

        for text in ["", "x", token, &of_another, &bob.token] {
            assert_eq!(bob.connect_with_ticket(text).await.err(), Some(401), "{text}");
        }
        bob.connect_with_ticket(&ticket).await.unwrap().queue_empty().await;
        app.host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_works_in_another_process() {
    let test = TestDb::postgres().await;
    let here = TestApp::start(&test).await;
    let there = here.sibling(&test, &[]).await;
    let bob = here.device().await;

    let mut socket = bob.at(&there).connect_with_ticket(&bob.ticket().await).await.unwrap();

    assert_eq!(socket.queue_empty().await, 0);
    there.host.stop().await;
    here.host.stop().await;
}
