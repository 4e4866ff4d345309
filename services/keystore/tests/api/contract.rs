//! What is checked in must be what the code says: tables and interface.

use std::path::Path;

use keystore::{App, MIGRATIONS};

#[tokio::test(flavor = "multi_thread")]
async fn both_databases_have_the_same_tables_and_come_down_again() {
    testkit::database::check_migrations(&MIGRATIONS).await;
}

#[test]
fn the_interface_description_is_up_to_date() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/openapi/keystore.json");
    let fresh = service::openapi::<App>().unwrap() + "\n";

    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&kept, &fresh).unwrap();
    }

    assert!(
        std::fs::read_to_string(&kept).unwrap_or_default() == fresh,
        "drifted: run `cargo xtask openapi`"
    );
}
