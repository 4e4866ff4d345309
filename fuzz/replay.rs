//! Runs a target's check over its corpus, for the tests of the crate that it checks.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

/// Fails with the name of the first file of `corpus/<target>` that does not hold.
pub fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> =
        fs::read_dir(&folder).expect("the corpus").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    for file in files {
        let octets = fs::read(&file).expect("a file");
        assert!(catch_unwind(|| check(&octets)).is_ok(), "{}", file.display());
    }
}
