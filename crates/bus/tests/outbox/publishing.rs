//! Order, and no loss whatever the producer does.

use testkit::on_both;

use super::*;

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

on_both! {
    async fn calm_bus_gets_every_record_once_and_in_order(test: TestDb) {
        let db = with_table(&test).await;
        let producer = Recorder::with([]);
        let relay = Running::start(&db, &producer, RelaySettings { batch: 7, ..quick() });

        for chunk in numbers(0..300).chunks(11) {
            push(&db, chunk).await;
            relay.relay.wake();
        }
        wait_until_published(&db).await;
        relay.stop().await;

        assert_eq!(producer.values(), numbers(0..300));
    }

    async fn producer_that_fails_at_random_loses_and_repeats_nothing_and_keeps_the_order(test: TestDb) {
        let db = with_table(&test).await;
        let mut state = 42_u32;
        let answers = std::iter::from_fn(move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some(match state >> 30 {
                0 => Answer::Refuse,
                1 => Answer::BreakHalfway,
                _ => Answer::Confirm,
            })
        });
        let producer = Recorder::with(answers.take(200));
        let relay = Running::start(&db, &producer, RelaySettings { batch: 10, ..quick() });

        for chunk in numbers(0..500).chunks(25) {
            push(&db, chunk).await;
        }
        wait_until_published(&db).await;
        relay.stop().await;

        assert!(producer.answers.lock().unwrap().len() < 150, "few failures were met");
        assert_eq!(producer.values(), numbers(0..500));
    }

    async fn a_row_alone_goes_at_once_and_those_that_follow_it_gather(test: TestDb) {
        let db = with_table(&test).await;
        let producer = Recorder::with([]);
        let gather = Duration::from_secs(3600);
        let relay = Running::start(&db, &producer, RelaySettings { gather, ..quick() });

        push(&db, ["1"]).await;
        producer.wait_for(1).await;
        for value in ["2", "3"] {
            push(&db, [value]).await;
            relay.relay.wake();
        }
        tokio::time::sleep(5 * quick().poll).await;
        assert_eq!(producer.values(), ["1"]);
        relay.stop().await;
        let relay = Running::start(&db, &producer, quick());
        wait_until_published(&db).await;
        relay.stop().await;

        assert_eq!(producer.values(), numbers(1..4));
        assert_eq!(producer.sends.load(Ordering::Relaxed), 2);
    }

    async fn rows_are_marked_only_after_the_producer_has_confirmed(test: TestDb) {
        let db = with_table(&test).await;
        let producer = Recorder::with([Answer::Hang]);
        push(&db, ["1"]).await;
        let relay = Running::start(&db, &producer, quick());

        producer.hanging.notified().await;
        assert_eq!(backlog(&db).await.pending, 1);
        producer.release.notify_one();

        wait_until_published(&db).await;
        relay.stop().await;
        assert_eq!(producer.values(), ["1"]);
    }

    async fn cancelled_relay_finishes_the_batch_it_is_sending(test: TestDb) {
        let db = with_table(&test).await;
        let producer = Recorder::with([Answer::Hang]);
        push(&db, ["1"]).await;
        let relay = Running::start(&db, &producer, quick());
        producer.hanging.notified().await;

        relay.cancel.cancel();
        producer.release.notify_one();
        relay.task.await.unwrap();

        assert_eq!(backlog(&db).await.pending, 0);
    }

    async fn waking_does_not_wait_for_the_poll(test: TestDb) {
        let db = with_table(&test).await;
        let producer = Recorder::with([]);
        let never = Duration::from_secs(3600);
        let relay = Running::start(&db, &producer, RelaySettings { poll: never, ..quick() });
        push(&db, ["1"]).await;
        relay.relay.wake();
        producer.wait_for(1).await;

        push(&db, ["2"]).await;
        relay.relay.wake();

        producer.wait_for(2).await;
        relay.stop().await;
    }

    async fn record_that_is_too_large_is_left_aside_and_stops_no_other(test: TestDb) {
        let db = with_table(&test).await;
        let producer = Arc::new(Recorder { limit: Some(20), ..Recorder::default() });
        let large = "x".repeat(100);
        push(&db, ["1", "2", &large, "3"]).await;

        let relay = Running::start(&db, &producer, quick());
        producer.wait_for(3).await;
        push(&db, ["4"]).await;
        producer.wait_for(4).await;
        relay.stop().await;

        assert_eq!(producer.values(), ["1", "2", "3", "4"]);
        assert_eq!(backlog(&db).await.pending, 1);
    }
}

#[tokio::test]
async fn transactions_that_commit_late_are_not_passed_over() {
    let test = TestDb::postgres().await;
    let db = with_table(&test).await;
    let producer = Recorder::with([]);
    let relay = Running::start(&db, &producer, quick());
    let (pushed, has_pushed) = tokio::sync::oneshot::channel();
    let (commit, may_commit) = std::sync::mpsc::channel::<()>();

    let slow = tokio::spawn({
        let db = db.clone();
        async move {
            db.write(move |conn| {
                outbox::push(conn, &[record("low id, late commit")], NOW)?;
                pushed.send(()).unwrap();
                may_commit.recv().unwrap();
                Ok::<_, DbError>(())
            })
            .await
        }
    });
    has_pushed.await.unwrap();
    push(&db, ["high id, early commit"]).await;
    producer.wait_for(1).await;
    commit.send(()).unwrap();
    slow.await.unwrap().unwrap();

    producer.wait_for(2).await;
    relay.stop().await;
    assert_eq!(producer.values(), ["high id, early commit", "low id, late commit"]);
}
