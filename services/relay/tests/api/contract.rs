//! What is checked in: tables for both databases, and the interface description.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_get_the_same_tables_and_lose_them_again() {
    testkit::database::check_migrations(&relay::MIGRATIONS).await;
}

#[test]
fn the_description_is_up_to_date() {
    testkit::contract::check_openapi::<relay::App>();
}
