//! The commands of an operator.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use testkit::host::ADMIN_TOKEN;
use testkit::process::mortal;
use testkit::program::{Program, binary};
use tokio::io::AsyncWriteExt as _;

/// How it ended, and what it said.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) ok: bool,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Ended {
    /// What it printed with `--json`.
    pub(super) fn report(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

/// Has everything that a program holds of an account written to a file.
pub(super) async fn export(program: &Program, account: &str, to: &Path, more: &[&str]) -> Ended {
    let mut command = on_account("export", &program.internal_url, &program.data_dir(), account);
    command.arg("--to").arg(to).args(more);
    end(command, "").await
}

/// Has a program erase an account, with `typed` at the terminal.
pub(super) async fn erase(program: &Program, account: &str, more: &[&str], typed: &str) -> Ended {
    erase_at(&program.internal_url, &program.data_dir(), account, more, typed).await
}

/// The same where the services are at `server`; `folder` is for the file with the token.
pub(super) async fn erase_at(
    server: &str,
    folder: &Path,
    account: &str,
    more: &[&str],
    typed: &str,
) -> Ended {
    let mut command = on_account("erase", server, folder, account);
    command.args(more);
    end(command, typed).await
}

fn on_account(what: &str, server: &str, folder: &Path, account: &str) -> std::process::Command {
    let token = folder.join("admin-token-of-a-test");
    std::fs::write(&token, ADMIN_TOKEN).unwrap();
    let mut command = mortal(binary("sealpost").unwrap());
    command.args(["admin", "accounts", what, "--account", account, "--server", server]);
    command.arg("--admin-token-file").arg(token);
    command
}

async fn end(mut command: std::process::Command, typed: &str) -> Ended {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = tokio::process::Command::from(command).spawn().unwrap();
    // One that does not ask may have ended already.
    let _ = child.stdin.take().unwrap().write_all(typed.as_bytes()).await;
    let output = child.wait_with_output().await.unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    Ended { ok: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) }
}
