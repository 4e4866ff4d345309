//! The tables.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_get_the_same_tables_and_lose_them_again() {
    testkit::database::check_migrations(&mailbox::MIGRATIONS).await;
}
