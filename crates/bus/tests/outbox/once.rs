//! What was sent without being marked is not sent again.

use testkit::on_both;

use super::*;

on_both! {
    async fn relay_killed_between_publishing_and_marking_has_nothing_published_again(test: TestDb) {
        let db = with_table(&test).await;
        let producer = Recorder::with([Answer::WriteAndHang]);
        let settings = RelaySettings { batch: 3, ..quick() };
        push(&db, ["1", "2", "3", "4", "5"]).await;
        let killed = Running::start(&test.open(), &producer, settings.clone());
        producer.hanging.notified().await;
        killed.task.abort();
        assert!(killed.task.await.unwrap_err().is_cancelled());

        let heir = Running::start(&db, &producer, settings);
        wait_until_published(&db).await;
        heir.stop().await;

        assert_eq!(producer.values(), ["1", "2", "3", "4", "5"]);
    }

    async fn batch_that_timed_out_but_was_written_is_not_published_again(test: TestDb) {
        let db = with_table(&test).await;
        let producer = Recorder::with([Answer::WriteAndTimeOut, Answer::Refuse, Answer::WriteAndTimeOut]);
        push(&db, ["1", "2", "3"]).await;

        let relay = Running::start(&db, &producer, RelaySettings { batch: 2, ..quick() });
        wait_until_published(&db).await;
        relay.stop().await;

        assert_eq!(producer.values(), ["1", "2", "3"]);
    }

    async fn nothing_is_published_before_the_topic_could_be_read(test: TestDb) {
        let db = with_table(&test).await;
        let producer = Recorder::with([]);
        producer.written.lock().unwrap().push(record("1"));
        *producer.unreadable.lock().unwrap() = 3;
        push(&db, ["1", "2"]).await;

        let relay = Running::start(&db, &producer, quick());
        wait_until_published(&db).await;
        relay.stop().await;

        assert_eq!(*producer.unreadable.lock().unwrap(), 0);
        assert_eq!(producer.values(), ["1", "2"]);
    }

    async fn record_that_is_there_stands_for_one_row(test: TestDb) {
        let db = with_table(&test).await;
        let producer = Recorder::with([]);
        producer.written.lock().unwrap().push(record("same"));
        push(&db, ["same", "same", "other"]).await;

        let relay = Running::start(&db, &producer, quick());
        wait_until_published(&db).await;
        push(&db, ["same"]).await;
        producer.wait_for(4).await;
        relay.stop().await;

        assert_eq!(producer.values(), ["same", "same", "other", "same"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_behind_a_batch_of_late_commits_are_found_too() {
    let test = TestDb::postgres().await;
    let db = with_table(&test).await;
    let producer = Recorder::with([]);
    producer.written.lock().unwrap().push(record("sent"));
    push(&db, ["late 1", "late 2", "late 3", "late 4", "sent"]).await;

    let relay = Running::start(&db, &producer, RelaySettings { batch: 2, ..quick() });
    wait_until_published(&db).await;
    relay.stop().await;

    assert_eq!(producer.values(), ["sent", "late 1", "late 2", "late 3", "late 4"]);
}
