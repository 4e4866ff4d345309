//! What is checked in must be what the code says: tables and interface.

use keystore::{App, MIGRATIONS};

#[tokio::test(flavor = "multi_thread")]
async fn both_databases_have_the_same_tables_and_come_down_again() {
    testkit::database::check_migrations(&MIGRATIONS).await;
}

#[test]
fn the_interface_description_is_up_to_date() {
    testkit::contract::check_openapi::<App>();
}
