//! Runs `openssl` and `keytool`; a missing program fails the test.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a program in `folder` with `input`; gives its standard output, and fails unless it succeeds.
pub(crate) fn run(folder: &Path, line: &[&str], input: &[u8]) -> Vec<u8> {
    let (program, arguments) = line.split_first().unwrap();
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} is needed: {error}"));
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Runs a program without input; gives its output as text.
pub(crate) fn text(folder: &Path, line: &[&str]) -> String {
    String::from_utf8(run(folder, line, b"")).unwrap()
}
