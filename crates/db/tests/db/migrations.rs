//! Migrations: repeatable, in parallel, and into the schema of the service alone.

use testkit::on_both;

use super::*;

#[tokio::test]
async fn up_down_up_gives_the_same_tables_on_both_backends() {
    testkit::database::check_migrations(&MIGRATIONS).await;
}

on_both! {
    async fn processes_that_migrate_at_once_apply_each_migration_once(test: TestDb) {
        let migrating: Vec<_> = (0..4)
            .map(|_| {
                let db = test.open();
                tokio::spawn(async move { db.migrate(&MIGRATIONS).await.unwrap().len() })
            })
            .collect();

        let mut applied = 0;
        for process in migrating {
            applied += process.await.unwrap();
        }

        assert_eq!(applied, 1);
    }

    async fn what_is_missing_or_from_a_newer_binary_is_told_without_a_change(test: TestDb) {
        let db = test.open();

        let before = (db.missing(&MIGRATIONS).await.unwrap(), db.missing(&MIGRATIONS).await.unwrap());
        let applied = db.migrate(&MIGRATIONS).await.unwrap();
        db.write(|conn| {
            let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000001')";
            Ok::<_, DbError>(db::on_backend!(conn, |c| diesel::connection::SimpleConnection::batch_execute(c, newer))?)
        })
        .await
        .unwrap();

        assert_eq!(before, (applied.clone(), applied));
        assert!(db.missing(&MIGRATIONS).await.unwrap().is_empty());
        assert_eq!(db.unknown(&MIGRATIONS).await.unwrap(), ["29990101000001"]);
    }
}

#[tokio::test]
async fn services_on_one_postgres_have_a_schema_each() {
    let test = testkit::database::TestDb::postgres().await;
    let auth = Db::new(test.settings(), "auth").unwrap();
    let mailbox = Db::new(test.settings(), "mailbox").unwrap();

    auth.migrate(&MIGRATIONS).await.unwrap();
    mailbox.migrate(&MIGRATIONS).await.unwrap();
    auth.write(|conn| insert(conn, "of auth", 1)).await.unwrap();

    assert_eq!(count(&auth).await, 1);
    assert_eq!(count(&mailbox).await, 0);
}

#[test]
fn schema_name_that_is_no_plain_identifier_is_refused() {
    let settings = db::DbSettings::new("postgres://localhost/db");

    for bad in ["", "a-b", "a; DROP TABLE x", "Ä", "A", &"x".repeat(64)] {
        assert!(matches!(Db::new(&settings, bad), Err(DbError::Settings(_))), "{bad:?}");
    }
}
