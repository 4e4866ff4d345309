//! Group commit: each answer after its commit, and one bad job or a lost connection harms no other.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use db::{Batcher, BatcherSettings};
use testkit::database::TestDb;
use testkit::on_both;
use testkit::postgres::Postgres;
use testkit::wait::wait_until;

use super::recovery::terminate_all;
use super::*;

const SETTINGS: BatcherSettings = BatcherSettings { name: "test-batcher", max_batch: 64, queue: 10_000 };

type Counters = Batcher<i64, i64, DbError>;

/// Inserts a row per job and answers with its double. Jobs below zero violate the table's check.
fn store(conn: &mut DbConn, jobs: &[i64]) -> Result<Vec<i64>, DbError> {
    for job in jobs {
        insert(conn, &format!("job {job}"), *job)?;
    }
    Ok(jobs.iter().map(|job| job * 2).collect())
}

async fn stored(db: &Db) -> BTreeSet<i64> {
    let rows: Vec<i64> =
        db.read(|conn| Ok::<_, DbError>(counters::table.select(counters::n).load(conn)?)).await.unwrap();
    rows.into_iter().collect()
}

on_both! {
    async fn one_bad_job_harms_no_other_of_a_single_statement(test: TestDb) {
        let db = migrated(&test).await;
        let batcher: Counters = Batcher::spawn_where(&db, SETTINGS, |_| true, |conn, jobs| {
            let rows: Vec<_> = jobs.iter().map(|n| (counters::name.eq(format!("job {n}")), counters::n.eq(n))).collect();
            db::on_backend!(conn, |c| diesel::insert_into(counters::table).values(&rows).execute(c))?;
            Ok::<_, DbError>(jobs.iter().map(|job| job * 2).collect())
        })
        .unwrap();

        let results = batcher.submit_many(vec![1, -1, 2]).await;

        assert!(matches!(results.as_slice(), [Ok(2), Err(_), Ok(4)]), "{results:?}");
        assert_eq!(stored(&db).await, BTreeSet::from([1, 2]));
    }

    async fn batches_are_told_of_in_their_order_before_anybody_is_answered(test: TestDb) {
        let db = migrated(&test).await;
        let told = Arc::new(Mutex::new(Vec::new()));
        let telling = told.clone();
        let then = move |results: &[Result<i64, DbError>]| {
            let mut told = telling.lock().unwrap();
            told.extend(results.iter().filter_map(|result| result.as_ref().ok().copied()));
            assert!(!told.contains(&14), "a panic here is nobody's loss");
        };
        let batcher: Counters = Batcher::spawn_then(&db, SETTINGS, |_| false, store, then).unwrap();

        let unheard = batcher.submit_many(vec![1, -1, 2]);
        let heard = batcher.submit(3).await;
        let told_by_then = told.lock().unwrap().clone();
        drop(unheard);
        let seventh = batcher.submit(7).await;

        assert!(matches!((heard, seventh), (Ok(6), Ok(14))));
        assert_eq!(told_by_then, [2, 4, 6]);
    }

    async fn thousands_of_submits_get_their_own_answer_after_the_commit(test: TestDb) {
        let db = migrated(&test).await;
        let batches = Arc::new(AtomicUsize::new(0));
        let counted = batches.clone();
        let batcher: Counters = Batcher::spawn(&db, SETTINGS, move |conn, jobs| {
            counted.fetch_add(1, Ordering::Relaxed);
            assert!(jobs.len() <= 64);
            store(conn, jobs)
        })
        .unwrap();

        let submits: Vec<_> = (0..3000)
            .map(|job| {
                let (db, batcher) = (db.clone(), batcher.clone());
                tokio::spawn(async move {
                    assert_eq!(batcher.submit(job).await.unwrap(), job * 2);
                    if job % 100 == 0 {
                        assert!(stored(&db).await.contains(&job), "{job} was answered before its commit");
                    }
                })
            })
            .collect();
        for submit in submits {
            submit.await.unwrap();
        }

        assert_eq!(stored(&db).await, (0..3000).collect());
        assert!(batches.load(Ordering::Relaxed) < 1500, "jobs were not batched");
    }

    async fn bad_job_fails_alone(test: TestDb) {
        let db = migrated(&test).await;
        let batcher: Counters = Batcher::spawn(&db, SETTINGS, store).unwrap();

        let submits: Vec<_> = [1, 2, -3, 4, 4, 5]
            .into_iter()
            .map(|job| {
                let batcher = batcher.clone();
                tokio::spawn(async move { (job, batcher.submit(job).await) })
            })
            .collect();
        let mut refused = Vec::new();
        for submit in submits {
            if let (job, Err(error)) = submit.await.unwrap() {
                refused.push((job, error));
            }
        }

        assert_eq!(stored(&db).await, BTreeSet::from([1, 2, 4, 5]));
        refused.sort_by_key(|(job, _)| *job);
        assert!(
            matches!(&refused[..], [(-3, DbError::Other(_)), (4, DbError::UniqueViolation { .. })]),
            "{refused:?}"
        );
    }

    async fn panic_of_one_job_fails_it_alone(test: TestDb) {
        let db = migrated(&test).await;
        let batcher: Counters = Batcher::spawn(&db, SETTINGS, |conn, jobs| {
            assert!(!jobs.contains(&13), "by the test");
            store(conn, jobs)
        })
        .unwrap();

        let (one, bad, two) = tokio::join!(batcher.submit(1), batcher.submit(13), batcher.submit(2));

        assert_eq!((one.unwrap(), two.unwrap()), (2, 4));
        assert!(matches!(bad, Err(DbError::Other(_))));
        assert_eq!(stored(&db).await, BTreeSet::from([1, 2]));
    }

    async fn wrong_number_of_results_is_an_error_and_stores_nothing(test: TestDb) {
        let db = migrated(&test).await;
        let batcher: Counters =
            Batcher::spawn(&db, SETTINGS, |conn, jobs| store(conn, jobs).map(|_| Vec::new())).unwrap();

        assert!(matches!(batcher.submit(1).await, Err(DbError::Other(_))));
        assert_eq!(count(&db).await, 0);
    }

    async fn full_queue_refuses_at_once_and_stop_finishes_what_is_queued(test: TestDb) {
        let db = migrated(&test).await;
        let (started, mut starts) = tokio::sync::mpsc::channel(16);
        let (release, released) = std::sync::mpsc::channel::<()>();
        let settings = BatcherSettings { name: "test-full", max_batch: 1, queue: 2 };
        let batcher: Counters = Batcher::spawn(&db, settings, move |conn, jobs| {
            started.try_send(()).unwrap();
            released.recv().unwrap();
            store(conn, jobs)
        })
        .unwrap();
        let submit = |job| {
            let batcher = batcher.clone();
            tokio::spawn(async move { batcher.submit(job).await })
        };

        let first = submit(1);
        starts.recv().await.unwrap();
        let queued = [submit(2), submit(3)];
        wait_until("two queued jobs", || async { batcher.queued() == 2 }).await;
        assert!(matches!(batcher.submit(4).await, Err(DbError::Overloaded(_))));
        for _ in 0..3 {
            release.send(()).unwrap();
        }
        batcher.stop().await;

        assert_eq!(first.await.unwrap().unwrap(), 2);
        for job in queued {
            job.await.unwrap().unwrap();
        }
        assert_eq!(stored(&db).await, BTreeSet::from([1, 2, 3]));
        assert!(matches!(batcher.submit(5).await, Err(DbError::Unavailable(_))));
        batcher.stop().await;
    }

    async fn jobs_brought_together_are_stored_in_order_with_a_result_each(test: TestDb) {
        let db = migrated(&test).await;
        let batches = Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = batches.clone();
        let settings = BatcherSettings { name: "test-many", max_batch: 3, queue: 100 };
        let batcher: Counters = Batcher::spawn(&db, settings, move |conn, jobs| {
            seen.lock().unwrap().push(jobs.to_vec());
            store(conn, jobs)
        })
        .unwrap();

        // Not polled yet, and queued before the next one all the same.
        let many = batcher.submit_many((1..=7).collect());
        let one = batcher.submit(8);
        let (one, many, none) = tokio::join!(one, many, batcher.submit_many(Vec::new()));

        assert_eq!(many.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [2, 4, 6, 8, 10, 12, 14]);
        assert_eq!((one.unwrap(), none.len()), (16, 0));
        let batches = batches.lock().unwrap();
        assert!(batches.iter().all(|batch| batch.len() <= 3), "{batches:?}");
        assert_eq!(batches.concat(), [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    async fn a_bad_job_harms_none_of_those_brought_with_it(test: TestDb) {
        let db = migrated(&test).await;
        let batcher: Counters = Batcher::spawn(&db, SETTINGS, store).unwrap();

        let results = batcher.submit_many(vec![1, -2, 3]).await;

        assert!(matches!(&results[..], [Ok(2), Err(DbError::Other(_)), Ok(6)]), "{results:?}");
        assert_eq!(stored(&db).await, BTreeSet::from([1, 3]));
    }

    async fn jobs_that_the_queue_has_no_room_for_are_refused_and_leave_room_to_others(test: TestDb) {
        let db = migrated(&test).await;
        let settings = BatcherSettings { name: "test-room", max_batch: 4, queue: 4 };
        let batcher: Counters = Batcher::spawn(&db, settings, store).unwrap();

        let crowded = batcher.submit_many((1..=6).collect()).await;
        let later = batcher.submit_many((7..=10).collect()).await;

        assert!(crowded.iter().take(4).all(Result::is_ok), "{crowded:?}");
        let refused = |one: &Result<i64, DbError>| matches!(one, Err(DbError::Overloaded(_)));
        assert!(crowded.len() == 6 && crowded.iter().skip(4).all(refused), "{crowded:?}");
        assert!(later.iter().all(Result::is_ok), "{later:?}");
        assert_eq!(stored(&db).await, BTreeSet::from([1, 2, 3, 4, 7, 8, 9, 10]));
    }

    async fn withdrawn_job_is_not_stored(test: TestDb) {
        let db = migrated(&test).await;
        let (started, mut starts) = tokio::sync::mpsc::channel(16);
        let (release, released) = std::sync::mpsc::channel::<()>();
        let batcher: Counters = Batcher::spawn(&db, SETTINGS, move |conn, jobs| {
            started.try_send(()).unwrap();
            let _ = released.recv();
            store(conn, jobs)
        })
        .unwrap();
        let submit = |job| {
            let batcher = batcher.clone();
            tokio::spawn(async move { batcher.submit(job).await })
        };

        let first = submit(1);
        starts.recv().await.unwrap();
        let withdrawn = submit(2);
        wait_until("a queued job", || async { batcher.queued() == 1 }).await;
        withdrawn.abort();
        assert!(withdrawn.await.unwrap_err().is_cancelled());
        drop(release);
        first.await.unwrap().unwrap();
        batcher.stop().await;

        assert_eq!(stored(&db).await, BTreeSet::from([1]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_cut_in_the_middle_of_a_batch_is_not_noticed_by_the_callers() {
    let test = TestDb::postgres().await;
    let db = migrated(&test).await;
    let url = test.settings().url.clone();
    let mut cut = 0;
    let batcher: Counters = Batcher::spawn(&db, SETTINGS, move |conn, jobs| {
        insert(conn, &format!("begun {}", jobs[0]), jobs[0])?;
        if jobs[0] % 10 == 9 && cut != jobs[0] {
            cut = jobs[0];
            terminate_all(&url);
        }
        store(conn, jobs)
    })
    .unwrap();

    for job in 0..50 {
        batcher.submit(job).await.unwrap();
    }

    assert_eq!(stored(&db).await, (0..50).collect());
    assert_eq!(count(&db).await, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_cut_at_the_commit_is_an_unknown_outcome_and_not_tried_again() {
    let test = TestDb::postgres().await;
    let db = migrated(&test).await;
    let url = test.settings().url.clone();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let batcher: Counters = Batcher::spawn(&db, SETTINGS, move |conn, jobs| {
        let results = store(conn, jobs)?;
        if counted.fetch_add(1, Ordering::Relaxed) == 0 {
            terminate_all(&url);
        }
        Ok(results)
    })
    .unwrap();

    assert!(matches!(batcher.submit(1).await, Err(DbError::CommitUnknown(_))));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    batcher.submit(2).await.unwrap();
    assert_eq!(stored(&db).await, BTreeSet::from([2]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_cut_in_a_single_statement_is_an_unknown_outcome() {
    let test = TestDb::postgres().await;
    let db = migrated(&test).await;
    let url = test.settings().url.clone();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let batcher: Counters = Batcher::spawn_where(
        &db,
        BatcherSettings { max_batch: 1, ..SETTINGS },
        |_| true,
        move |conn, jobs| {
            if counted.fetch_add(1, Ordering::Relaxed) == 1 {
                terminate_all(&url);
            }
            store(conn, jobs)
        },
    )
    .unwrap();

    // One after the other without a pause: a connection that has rested is asked before it is used.
    let results = batcher.submit_many(vec![1, 2]).await;

    assert!(matches!(results.as_slice(), [Ok(2), Err(DbError::CommitUnknown(_))]), "{results:?}");
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    batcher.submit(3).await.unwrap();
    assert_eq!(stored(&db).await, BTreeSet::from([1, 3]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rested_connection_that_has_gone_is_not_noticed_by_a_single_statement() {
    let test = TestDb::postgres().await;
    let db = migrated(&test).await;
    let batcher: Counters = Batcher::spawn_where(&db, SETTINGS, |_| true, store).unwrap();
    batcher.submit(1).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    terminate_all(&test.settings().url);

    batcher.submit(2).await.unwrap();

    assert_eq!(stored(&db).await, BTreeSet::from([1, 2]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_is_down_is_told_at_once_and_healed_when_it_is_back() {
    let mut server = Postgres::start().await.unwrap();
    let test = TestDb::on_server(&server.url());
    let db = migrated(&test).await;
    let batcher: Counters = Batcher::spawn(&db, SETTINGS, store).unwrap();
    batcher.submit(1).await.unwrap();
    server.crash().await.unwrap();

    let down = tokio::time::timeout(Duration::from_secs(10), batcher.submit(2)).await.unwrap();

    assert!(matches!(down, Err(DbError::Unavailable(_))), "{down:?}");
    server.restart().await.unwrap();
    wait_until("the server again", || async { batcher.submit(3).await.is_ok() }).await;
    assert_eq!(stored(&db).await, BTreeSet::from([1, 3]));
}
