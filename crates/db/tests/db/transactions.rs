//! What a closure may rely on: all or nothing, savepoints, one snapshot, no lost update.

use diesel::connection::SimpleConnection;
use testkit::on_both;
use testkit::wait::wait_until;

use super::*;

on_both! {
    async fn written_rows_are_read_back(test: TestDb) {
        let db = migrated(&test).await;

        db.write(|conn| insert(conn, "a", 1)).await.unwrap();

        assert_eq!(value(&db, "a").await, Some(1));
    }

    async fn error_rolls_everything_back_and_comes_out_unchanged(test: TestDb) {
        let db = migrated(&test).await;

        let failed = db
            .write(|conn| {
                insert(conn, "a", 1)?;
                insert(conn, "b", 2)?;
                Err::<(), _>(DbError::Overloaded("by the test"))
            })
            .await;

        assert!(matches!(failed, Err(DbError::Overloaded("by the test"))), "{failed:?}");
        assert_eq!(count(&db).await, 0);
    }

    async fn inner_transaction_fails_alone(test: TestDb) {
        let db = migrated(&test).await;

        db.write(|conn| {
            insert(conn, "outer", 1)?;
            let inner = conn.transaction(|conn| {
                insert(conn, "inner", 1)?;
                insert(conn, "outer", 1)
            });
            assert!(matches!(inner, Err(DbError::UniqueViolation { .. })), "{inner:?}");
            insert(conn, "after", 1)
        })
        .await
        .unwrap();

        assert_eq!(value(&db, "inner").await, None);
        assert_eq!(value(&db, "outer").await, Some(1));
        assert_eq!(value(&db, "after").await, Some(1));
    }

    async fn unique_violation_names_what_was_violated(test: TestDb) {
        let db = migrated(&test).await;
        db.write(|conn| insert(conn, "a", 1)).await.unwrap();

        let again = db.write(|conn| insert(conn, "a", 2)).await;

        let Err(DbError::UniqueViolation { constraint }) = again else { panic!("{again:?}") };
        let expected = match db.backend() {
            db::Backend::Postgres => "counters_pkey",
            db::Backend::Sqlite => "counters.name",
        };
        assert_eq!(constraint, expected);
    }

    async fn concurrent_read_modify_write_loses_nothing(test: TestDb) {
        let db = migrated(&test).await;
        db.write(|conn| insert(conn, "shared", 0)).await.unwrap();

        let increments: Vec<_> = (0..50)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move {
                    db.write(|conn| {
                        // What the portable query cannot say: lock the row that was read.
                        let old: i64 = match conn {
                            DbConn::Pg(c) => counters::table.select(counters::n).for_update().first(c)?,
                            DbConn::Sqlite(c) => counters::table.select(counters::n).first(c)?,
                        };
                        diesel::update(counters::table).set(counters::n.eq(old + 1)).execute(conn)?;
                        Ok::<_, DbError>(())
                    })
                    .await
                })
            })
            .collect();
        for increment in increments {
            increment.await.unwrap().unwrap();
        }

        assert_eq!(value(&db, "shared").await, Some(50));
    }

    async fn read_sees_one_snapshot(test: TestDb) {
        let db = migrated(&test).await;
        let (seen, first_read) = tokio::sync::oneshot::channel();
        let (go_on, written) = std::sync::mpsc::channel();

        let reading = tokio::spawn({
            let db = db.clone();
            async move {
                db.read(move |conn| {
                    let before: i64 = counters::table.count().get_result(conn)?;
                    seen.send(()).unwrap();
                    written.recv().unwrap();
                    let after: i64 = counters::table.count().get_result(conn)?;
                    Ok::<_, DbError>((before, after))
                })
                .await
            }
        });
        first_read.await.unwrap();
        db.write(|conn| insert(conn, "meanwhile", 1)).await.unwrap();
        go_on.send(()).unwrap();

        assert_eq!(reading.await.unwrap().unwrap(), (0, 0));
        assert_eq!(count(&db).await, 1);
    }

    async fn panic_in_the_work_rolls_back_and_the_pool_goes_on(test: TestDb) {
        let db = migrated(&test).await;

        for _ in 0..20 {
            let db = db.clone();
            let panicked = tokio::spawn(async move {
                db.write(|conn| -> Result<(), DbError> {
                    insert(conn, "a", 1)?;
                    panic!("by the test")
                })
                .await
            });
            assert!(panicked.await.unwrap_err().is_panic());
        }

        assert_eq!(count(&db).await, 0);
        db.write(|conn| insert(conn, "b", 1)).await.unwrap();
    }

    async fn swallowed_failure_of_a_statement_is_never_reported_as_stored(test: TestDb) {
        let db = migrated(&test).await;

        let outcome = db
            .write(|conn| {
                insert(conn, "a", 1)?;
                let _ = insert(conn, "a", 2);
                Ok::<_, DbError>(())
            })
            .await;

        // PostgreSQL gives up the transaction at the failure, SQLite only the statement.
        assert_eq!(outcome.is_ok(), count(&db).await == 1);
        assert_eq!(outcome.is_ok(), db.backend() == db::Backend::Sqlite);
        db.write(|conn| insert(conn, "b", 1)).await.unwrap();
    }

    async fn exhausted_pool_is_overload_and_nothing_else(test: TestDb) {
        let mut settings = test.settings().clone();
        settings.pool_size = 1;
        settings.checkout_timeout = Duration::from_millis(300);
        migrated(&test).await;
        let db = Db::new(&settings, "test").unwrap();
        // To connect may take longer than that; from now on the connection is there.
        wait_until("the connection", || async { db.ping().await.is_ok() }).await;
        let (holding, held) = tokio::sync::oneshot::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();

        let holder = tokio::spawn({
            let db = db.clone();
            async move {
                db.read(move |_| {
                    holding.send(()).unwrap();
                    released.recv().unwrap();
                    Ok::<_, DbError>(())
                })
                .await
            }
        });
        held.await.unwrap();

        assert!(matches!(db.ping().await, Err(DbError::Overloaded(_))));
        release.send(()).unwrap();
        holder.await.unwrap().unwrap();
        db.ping().await.unwrap();
    }
}

#[tokio::test]
async fn read_refuses_to_write_on_postgres() {
    let test = testkit::database::TestDb::postgres().await;
    let db = migrated(&test).await;

    let refused = db.read(|conn| insert(conn, "a", 1)).await;

    assert!(matches!(refused, Err(DbError::Other(_))), "{refused:?}");
}

#[tokio::test]
async fn sqlite_file_is_private_and_in_wal_mode_with_full_sync() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new/deep/data.sqlite");
    let db = Db::new(&db::DbSettings::new(format!("sqlite:{}", file.display())), "test").unwrap();

    db.write(|conn| Ok::<_, DbError>(conn.batch_execute("CREATE TABLE t (x INTEGER)")?)).await.unwrap();

    for name in ["data.sqlite", "data.sqlite-wal", "data.sqlite-shm"] {
        let mode = file.with_file_name(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(file.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let pragmas = db
        .read(|conn| {
            let ask = diesel::dsl::sql::<(
                diesel::sql_types::Text,
                diesel::sql_types::BigInt,
                diesel::sql_types::BigInt,
            )>;
            let sql = "SELECT j.journal_mode, s.synchronous, f.foreign_keys FROM pragma_journal_mode() j, \
                       pragma_synchronous() s, pragma_foreign_keys() f";
            Ok::<(String, i64, i64), DbError>(ask(sql).get_result(conn)?)
        })
        .await
        .unwrap();
    assert_eq!(pragmas, ("wal".into(), 2, 1));
}
