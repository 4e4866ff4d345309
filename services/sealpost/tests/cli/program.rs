//! Runs the program, and others beside it.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use testkit::process::mortal;
use testkit::wait::{wait_for, wait_for_within};

/// The program under test.
pub(crate) const SEALPOST: &str = env!("CARGO_BIN_EXE_sealpost");

/// The password of every vault here.
pub(crate) const PASSWORD: &str = "correct horse";

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The output of a command that worked.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// The one line on stderr of a command that failed.
    #[track_caller]
    pub(crate) fn refusal(self) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{self:?}");
        let line = self.stderr.trim_end();
        assert!(line.starts_with("error: ") && !line.contains('\n'), "{line}");
        line["error: ".len()..].to_owned()
    }
}

impl Ended {
    /// The last line on stderr of a command that failed after it had said other things.
    #[track_caller]
    pub(crate) fn refusal_line(self) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{self:?}");
        let line = self.stderr.lines().next_back().and_then(|line| line.strip_prefix("error: "));
        line.unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

/// An empty folder in which commands are run.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).expect("a file");
    }

    /// Runs `sealpost` with arguments that have no blanks in them.
    pub(crate) fn sealpost(&self, arguments: &str) -> Ended {
        self.sealpost_with(arguments, &[], "")
    }

    /// Runs `sealpost` with `arguments`, then `last`, and `input` on stdin.
    pub(crate) fn sealpost_with(&self, arguments: &str, last: &[&str], input: &str) -> Ended {
        let mut command = self.command(SEALPOST);
        command.args(arguments.split_whitespace()).args(last).stdin(Stdio::piped());
        let mut child = command.spawn().expect("the program");
        let mut stdin = child.stdin.take().expect("its stdin");
        // One that does not read its input may have ended already.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output().expect("its end").into()
    }

    /// Runs `sealpost` for somebody who reads nothing of what it prints.
    pub(crate) fn sealpost_unread(&self, arguments: &str) -> Ended {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = self.command(SEALPOST);
        command.args(arguments.split_whitespace()).stdin(Stdio::null()).stdout(writer);
        command.output().expect("the program").into()
    }

    /// Runs `sealpost` where no file can grow beyond so many kilobytes, as on a disk that is full.
    pub(crate) fn sealpost_within(&self, kilobytes: u32, arguments: &str) -> Ended {
        // The system would end it, instead of failing its write.
        let script = format!("ulimit -f {kilobytes}; trap '' XFSZ; exec {SEALPOST} {arguments}");
        self.command("bash").args(["-c", &script]).output().expect("bash").into()
    }

    /// Runs `sealpost` while other things go on.
    pub(crate) async fn sealpost_later(&self, arguments: &str) -> Ended {
        let mut command = tokio::process::Command::from(self.command(SEALPOST));
        command.args(arguments.split_whitespace()).stdin(Stdio::null());
        command.output().await.expect("the program").into()
    }

    /// Runs another program, which must work.
    #[track_caller]
    pub(crate) fn run(&self, program: &str, arguments: &str) -> String {
        let mut command = self.command(program);
        let output = command.args(arguments.split_whitespace()).output();
        Ended::from(output.unwrap_or_else(|error| panic!("{program}: {error}"))).ok()
    }

    /// Runs a shell script, which must work.
    #[track_caller]
    pub(crate) fn script(&self, script: &str) -> String {
        let output = self.command("bash").args(["-euo", "pipefail", "-c", script]).output();
        Ended::from(output.expect("bash")).ok()
    }

    /// Starts `sealpost` and lets it run.
    pub(crate) fn start(&self, arguments: &str) -> Running {
        Running::start(self.0.path(), arguments)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.0.path())
            .env("SEALPOST_VAULT_PASSWORD", PASSWORD)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// A `sealpost` that runs; killed when dropped.
pub(crate) struct Running {
    child: Child,
    output: TempDir,
}

impl Running {
    fn start(folder: &Path, arguments: &str) -> Self {
        let output = tempfile::tempdir().expect("a temporary folder");
        let file = |name| File::create(output.path().join(name)).expect("a file for its output");
        let mut command = mortal(SEALPOST);
        command.args(arguments.split_whitespace()).current_dir(folder);
        command.stdout(file("stdout")).stderr(file("stderr"));
        Self { child: command.spawn().expect("the program"), output }
    }

    pub(crate) fn stdout(&self) -> String {
        std::fs::read_to_string(self.output.path().join("stdout")).expect("its stdout")
    }

    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(self.output.path().join("stderr")).expect("its stderr")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line on stdout that begins like this.
    pub(crate) async fn line(&self, beginning: &str) -> String {
        let found = || {
            let stdout = self.stdout();
            let line =
                stdout.split_inclusive('\n').find(|line| line.starts_with(beginning) && line.ends_with('\n'));
            line.map(|line| line.trim_end().to_owned())
        };
        wait_for(&format!("a line {beginning:?}; stderr: {}", self.stderr()), || async { found() }).await
    }

    /// Waits until stderr holds this text.
    pub(crate) async fn says(&self, text: &str) {
        wait_for(text, || async { self.stderr().contains(text).then_some(()) }).await;
    }

    /// Waits for its end.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        let child = &mut self.child;
        let mut tried = || child.try_wait().expect("a child");
        wait_for_within(Duration::from_secs(30), "the end of the program", || std::future::ready(tried()))
            .await
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status();
        assert!(sent.expect("kill").success());
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
