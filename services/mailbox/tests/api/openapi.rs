//! The interface description that is checked in.

use std::path::Path;

/// Write it anew with `UPDATE_OPENAPI=1`.
#[test]
fn the_description_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/openapi/mailbox.json");
    let fresh = service::openapi::<mailbox::App>().unwrap() + "\n";
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &fresh).unwrap();
    }

    let kept = std::fs::read_to_string(&path).unwrap_or_default();

    assert!(kept == fresh, "proto/openapi/mailbox.json has drifted");
}
