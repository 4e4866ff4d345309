//! What is checked in must be what the code says.

use std::path::Path;

use service::App;

/// Compares `proto/openapi/<service>.json` with the routes of `A`; with `UPDATE_OPENAPI` in the environment, writes it.
///
/// # Panics
/// When the description has drifted.
pub fn check_openapi<A: App>() {
    let file = format!("../../proto/openapi/{}.json", A::NAME);
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
    let fresh = service::openapi::<A>().expect("a description") + "\n";
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&kept, &fresh).expect("a writable proto/openapi");
    }
    let kept = std::fs::read_to_string(&kept).unwrap_or_default();
    assert!(kept == fresh, "{file} has drifted: run `cargo xtask openapi`");
}
