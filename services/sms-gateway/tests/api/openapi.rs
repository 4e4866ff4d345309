//! The interface description, and the tables, are what is checked in.

use service::App;
use sms_gateway::SmsGateway;

#[test]
fn the_interface_description_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto/openapi/sms-gateway.json");
    let current = service::openapi::<SmsGateway>().unwrap() + "\n";
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(path, &current).unwrap();
    }

    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), current, "run with UPDATE_OPENAPI=1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_get_the_same_tables_and_lose_them_again() {
    testkit::database::check_migrations(SmsGateway::migrations().unwrap()).await;
}
