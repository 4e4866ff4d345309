//! `cargo xtask bench …`: builds the services and the bench program as they are deployed, then runs it.

use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::MetadataCommand;

/// What a bench runs: itself and the services.
const BINARIES: [&str; 6] = [
    "bench",
    "sealpost-auth",
    "sealpost-keystore",
    "sealpost-mailbox",
    "sealpost-notify",
    "sealpost-sms-gateway",
];

/// Builds, then runs `bench` with `arguments`. `dev` takes the unoptimized profile, to try the program itself.
///
/// # Errors
/// When the build or the bench fails; both have said why.
pub(crate) fn run(root: &Path, dev: bool, arguments: &[String]) -> Result<String, String> {
    let profile = if dev { "dev" } else { "release" };
    let mut build = Command::new(env!("CARGO"));
    // The whole workspace is named, so that features are those of every other build, and nothing is compiled twice.
    build.args(["build", "--profile", profile, "--workspace"]).current_dir(root);
    for binary in BINARIES {
        build.args(["--bin", binary]);
    }
    succeed("cargo build", &mut build)?;
    let folder = target(root)?.join(if dev { "debug" } else { "release" });
    let mut bench = Command::new(folder.join("bench"));
    bench.arg("--binaries").arg(&folder).args(arguments);
    succeed("bench", &mut bench)?;
    Ok("bench: done".to_owned())
}

fn target(root: &Path) -> Result<PathBuf, String> {
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec();
    Ok(metadata.map_err(|error| error.to_string())?.target_directory.into_std_path_buf())
}

fn succeed(name: &str, command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("{name}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name} failed: {status}")) }
}
