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
