//! The interface description, and the tables, are what is checked in.

use service::App as _;
use sms_gateway::App;

#[test]
fn the_interface_description_is_current() {
    testkit::contract::check_openapi::<App>();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_get_the_same_tables_and_lose_them_again() {
    testkit::database::check_migrations(App::migrations().unwrap()).await;
}
