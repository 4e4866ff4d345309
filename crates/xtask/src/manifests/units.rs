//! The units of systemd: programs and options that exist, and an end that is waited for.

use std::{path::Path, process::Command};

use config::Config;
use service::CommonSettings;

use super::{SERVICES, read, secrets::beside};

/// Variables that are no settings (`SEALPOST__…`): `crates/service/src/program.rs`.
const OPTIONS: [&str; 2] = ["SEALPOST_CONFIG", "SEALPOST_DATA_DIR"];

/// What is wrong with them.
///
/// # Errors
/// When a unit cannot be read, or a program not be run.
pub(super) fn findings(root: &Path) -> Result<Vec<String>, String> {
    let mut findings = Vec::new();
    for (name, programs) in [
        ("sealpost.service", vec!["sealpost".to_owned()]),
        ("sealpost@.service", SERVICES.map(|service| format!("sealpost-{service}")).to_vec()),
    ] {
        let unit = read(&root.join("deploy/systemd").join(name))?;
        findings.extend(check(&unit).into_iter().map(|finding| format!("{name}: {finding}")));
        for (program, line) in
            programs.iter().flat_map(|program| commands(&unit).map(move |line| (program, line)))
        {
            let instance = program.trim_start_matches("sealpost-");
            let line = line.replace("%i", instance);
            let mut words = line.split_whitespace();
            let called =
                words.next().and_then(|path| path.strip_prefix("/usr/local/bin/")).unwrap_or_default();
            if called != program {
                findings.push(format!("{name}: starts {called} for {program}"));
                continue;
            }
            // With --help a program does nothing, but refuses a word that it does not know.
            let output = Command::new(beside(program)?).args(words).arg("--help").output();
            if !output.map_err(|error| format!("{program}: {error}"))?.status.success() {
                findings.push(format!("{name}: {program} does not take: {line}"));
            }
        }
    }
    Ok(findings)
}

fn commands(unit: &str) -> impl Iterator<Item = &str> {
    unit.lines().filter_map(|line| line.strip_prefix("ExecStart=").or(line.strip_prefix("ExecStartPre=")))
}

fn check(unit: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    // What they are started with has no settings file yet: the defaults hold.
    let token = ("internal.token".to_owned(), "0123456789abcdef".to_owned());
    let drain = Config::load(None, [], [token]).and_then(|config| CommonSettings::load(&config, &[]));
    let drain = drain.map(|settings| settings.http.drain_delay + 3 * settings.http.drain_timeout);
    let stop = value("TimeoutStopSec").and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
    if drain.is_ok_and(|drain| drain.as_secs() >= stop) {
        findings.push(format!("is killed after {stop} s, within its drain"));
    }
    if value("ExecStartPre").is_some() && value("TimeoutStartSec") != Some("infinity") {
        findings.push("has its migration killed when that takes long".to_owned());
    }
    for variable in value("Environment").into_iter().flat_map(str::split_whitespace) {
        let name = variable.split('=').next().unwrap_or_default();
        if !OPTIONS.contains(&name) {
            findings.push(format!("sets {name}, which no program reads"));
        }
    }
    for (key, wanted) in [
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("CapabilityBoundingSet", ""),
        ("PrivateDevices", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("User", "sealpost"),
    ] {
        if value(key) != Some(wanted) {
            findings.push(format!("{key} is not {wanted:?}"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_kills_too_soon_or_sets_what_nobody_reads_is_found() {
        let sound = "User=sealpost\nTimeoutStopSec=75\nNoNewPrivileges=yes\nProtectSystem=strict\nCapabilityBoundingSet=\nPrivateDevices=yes\nMemoryDenyWriteExecute=yes\nEnvironment=SEALPOST_CONFIG=/etc/x\n";
        assert_eq!(check(sound), Vec::<String>::new());

        for (from, to, finding) in [
            ("Sec=75", "Sec=5", "is killed after 5 s"),
            ("SEALPOST_CONFIG", "SEALPOST_CONFG", "sets SEALPOST_CONFG"),
            ("strict", "full", "ProtectSystem"),
            ("User=", "ExecStartPre=/x migrate\nUser=", "has its migration killed"),
        ] {
            let findings = check(&sound.replace(from, to));

            assert!(findings.len() == 1 && findings[0].contains(finding), "{findings:?}");
        }
    }
}
