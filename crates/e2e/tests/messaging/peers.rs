//! Real libsignal clients (npm `@signalapp/libsignal-client`) against the assembled services.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use testkit::process::mortal;
use tokio::process::Command;

use crate::harness::assembled;

testkit::on_both! {
    async fn libsignal_clients_talk_through_the_server(db: TestDb) {
        let host = assembled(&db).await;

        let output = node(&folder().join("libsignal.mjs"), &["--server", &host.url]).await;

        assert!(output.contains("every step worked"), "{output}");
        host.stop().await;
    }
}

/// Runs a script to its end, and gives what it printed.
async fn node(script: &Path, arguments: &[&str]) -> String {
    let installed = folder().join("../../../../../sdk/typescript/examples/libsignal/dist/index.js");
    assert!(installed.exists(), "run `npm ci && npm run build` in sdk/typescript, or `scripts/test`");
    let mut command = Command::from(mortal("node"));
    command.arg(script).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.output().await.expect("node: version 22, as `scripts/test` provides it");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{}\n{text}", output.status);
    text
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messaging/peers")
}
