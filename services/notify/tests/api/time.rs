//! What time alone changes.

use std::time::Duration;

use serde_json::json;
use testkit::clock::FakeClock;
use testkit::database::TestDb;
use testkit::obstacle::Obstacle;
use testkit::wait::wait_until;

use crate::harness::TestApp;

const HOUR: Duration = Duration::from_secs(3600);

testkit::on_both! {
    async fn what_has_expired_is_removed_and_a_channel_begins_another_life(test: TestDb) {
        let clock = FakeClock::default();
        let more = [
            ("notify.history_ttl", "1h"),
            ("notify.idempotency_ttl", "2h"),
            ("notify.channel_ttl", "4h"),
            ("notify.token_ttl", "3h"),
            ("notify.sweep_every", "20ms"),
            ("notify.sweep_batch", "7"),
        ];
        let app = TestApp::start_at(&test, &more, clock.shared()).await;
        let db = app.host.database("notify");
        let rows = async |table: &'static str| count(&db, table).await;
        let token = app.backend.channel_token("a").await;
        let mut member = app.connect().await;
        member.subscribe(&json!({"token": token})).await;
        for number in 1..=50 {
            app.backend.publish_keyed(&json!({"channel": "a", "data": number}), &format!("key-{number}")).await.assert_status(200);
        }
        let first = app.backend.history("a", "").await["epoch"].clone();

        clock.advance(HOUR);
        wait_until("the history to be gone", || async { rows("notifications").await == 0 }).await;
        let kept = app.backend.publish_keyed(&json!({"channel": "a", "data": 1}), "key-1").await.expect(200);
        assert_eq!((kept.value()["offset"].clone(), kept.header("idempotent-replay")), (json!(1), Some("true")));
        clock.advance(HOUR);
        wait_until("the keys to be gone", || async { rows("idempotency_keys").await == 0 }).await;
        assert_eq!((rows("tokens").await, rows("channels").await), (1, 1));
        clock.advance(HOUR);
        wait_until("the token to be gone", || async { rows("tokens").await == 0 }).await;
        assert_eq!(rows("channels").await, 1);
        clock.advance(HOUR);
        wait_until("the channel to be gone", || async { rows("channels").await == 0 }).await;

        assert_eq!(app.backend.publish("a", &json!("anew")).await, 1);
        let second = app.backend.history("a", "").await["epoch"].clone();
        assert_ne!(first, second);
        let token = app.backend.channel_token("a").await;
        let mut back = app.connect().await;
        let joined = back.subscribe(&json!({"token": token, "offset": 1, "epoch": first})).await;
        assert_eq!((&joined["recovered"], &joined["epoch"]), (&json!(false), &second));
        app.host.stop().await;
    }

    async fn whoever_is_in_a_channel_when_it_begins_another_life_hears_it_from_the_beginning(test: TestDb) {
        let clock = FakeClock::default();
        let more = [
            ("notify.history_ttl", "1h"),
            ("notify.channel_ttl", "1h"),
            ("notify.sweep_every", "20ms"),
            ("notify.session_check", "1h"),
        ];
        let app = TestApp::start_at(&test, &more, clock.shared()).await;
        let db = app.host.database("notify");
        let account = common::models::AccountId::new();
        let channel = format!("account:{account}");
        let mut member = app.connect().await;
        let narrow = app.backend.narrow();
        let (token, _) = app.access_token(account).await;
        member.subscribe(&json!({"token": token})).await;
        for offset in 1..=3 {
            assert_eq!(narrow.publish(&channel, &json!(offset)).await, offset);
        }
        assert_eq!(member.offsets(3).await, [1, 2, 3]);

        // Its access token ends, but nobody looks: it is still in the channel when the other comes, as one whose token
        // was renewed would be. Were nobody there, the channel would begin its other life with that one.
        clock.advance(HOUR);
        let (token, _) = app.access_token(account).await;
        let mut member = app.connect().await;
        member.subscribe(&json!({"token": token})).await;
        wait_until("the channel to be gone", || async { count(&db, "channels").await == 0 }).await;
        for offset in 1..=3 {
            assert_eq!(narrow.publish(&channel, &json!(offset)).await, offset);
        }

        assert_eq!(member.offsets(3).await, [1, 2, 3]);
        app.host.stop().await;
    }

    async fn another_secret_of_tokens_makes_other_tokens(test: TestDb) {
        let app = TestApp::start(&test).await;
        let before = app.backend.channel_token("a").await;
        app.host.stop().await;

        let app = TestApp::start_with(&test, &[("notify.token_key", "another secret of tokens")]).await;
        let after = app.backend.channel_token("a").await;

        assert_ne!(before, after);
        assert_eq!(app.backend.channel_token("a").await, after);
        let mut socket = app.connect().await;
        socket.ask(&json!({"token": before})).await;
        socket.frame("refused").await;
        app.connect().await.subscribe(&json!({"token": after})).await;
        app.host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_a_channel_that_somebody_comes_to_while_it_is_to_be_forgotten_lives_on() {
    let (test, clock) = (TestDb::postgres().await, FakeClock::default());
    let more = [("notify.history_ttl", "1h"), ("notify.channel_ttl", "1h"), ("notify.sweep_every", "20ms")];
    let app = TestApp::start_at(&test, &more, clock.shared()).await;
    let db = app.host.database("notify");
    for channel in ["a", "b"] {
        app.backend.publish(channel, &json!(1)).await;
    }
    let before = app.backend.history("a", "").await["epoch"].clone();
    let coming = format!(
        "SELECT 1 FROM notify.channels WHERE channel = 'a' FOR UPDATE; \
         INSERT INTO notify.presences VALUES ('a', 'alice', 'another', 1, 0, {})",
        i64::MAX
    );

    Obstacle::new(&test, &coming).clear_for(1, async { clock.advance(HOUR) }).await;
    wait_until("a channel to be gone", || async { count(&db, "channels").await < 2 }).await;

    assert_eq!(count(&db, "channels").await, 1);
    assert_eq!(app.backend.history("a", "").await["epoch"], before);
    app.host.stop().await;
}

/// The rows of a table.
pub(crate) async fn count(db: &db::Db, table: &'static str) -> i64 {
    use diesel::prelude::*;
    use diesel::sql_types::BigInt;

    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let counted = db.read(move |conn| {
        let query = diesel::sql_query(format!("SELECT count(*) AS count FROM {table}"));
        Ok::<_, db::DbError>(query.get_result::<Count>(conn)?.count)
    });
    counted.await.unwrap()
}
