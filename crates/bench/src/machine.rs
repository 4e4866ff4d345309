//! On what, with what and how it was measured.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use common::models::{Clock as _, SystemClock};
use openssl::rsa::Rsa;
use rsa_lanes::{LANES, PrivateKey};
use testkit::postgres::Postgres;

use crate::error::BenchError;
use crate::report::{say, whole};
use crate::usage::cpu;

/// As the keys are that tenants get.
const RSA_BITS: u32 = 2048;

/// Writes the facts, before anything is measured.
pub(crate) fn describe(title: &str, postgres: &Postgres) -> Result<(), BenchError> {
    let command: Vec<String> = std::env::args().collect();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, model)| model.trim());
    let meminfo = read("/proc/meminfo");
    let memory = meminfo.split_whitespace().nth(1).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    let load = read("/proc/loadavg");
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    let profile = if cfg!(debug_assertions) { "DEBUG: the numbers mean nothing" } else { "release" };

    say(title);
    say(&format!("  command   {}", command.join(" ")));
    say(&format!("  time      {}", SystemClock.now().to_rfc3339_seconds()));
    say(&format!("  build     {profile}"));
    say(&format!("  machine   {} cores, {model}, {:.1} GiB", cores(), memory / (1024.0 * 1024.0)));
    say(&format!("  load      {} before the run (1, 5, 15 min)", load.join(" ")));
    say(&format!("  kernel    Linux {}", read("/proc/sys/kernel/osrelease").trim()));
    say(&format!(
        "  programs  {}; {}",
        version(&postgres.program("postgres")),
        version(Path::new("openssl"))
    ));
    say(&format!(
        "  sync      {} µs for 8 KiB written and synced, median",
        whole(sync_time()?.as_secs_f64() * 1e6)
    ));
    Ok(())
}

/// Cores that this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Open files that this process, and those that it starts, may have.
pub(crate) fn open_files() -> usize {
    let limits = read("/proc/self/limits");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(1024)
}

/// RSA-2048 private-key operations for each second of CPU time, by OpenSSL's own measurement, which counts CPU time
/// and not what the clock on the wall says.
pub(crate) async fn rsa_operations(seconds: u32) -> Result<f64, BenchError> {
    let seconds = seconds.to_string();
    let mut command = tokio::process::Command::new("openssl");
    command.args(["speed", "-mr", "-seconds", &seconds, "rsa2048"]);
    let output = command.output().await.map_err(|error| BenchError::Io("openssl speed", error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    signs(&text).ok_or_else(|| BenchError::unexpected(format!("openssl speed said: {text}")))
}

/// The same by the lanes in which the gateway decrypts, whose operations come in eights; 0 on processors without them.
pub(crate) async fn rsa_operations_in_lanes(seconds: u32) -> Result<f64, BenchError> {
    let seconds = Duration::from_secs(seconds.into());
    let failed = |error| BenchError::of("an RSA key", error);
    let key = Rsa::generate(RSA_BITS).map_err(failed)?;
    let key =
        PrivateKey::new(&key).ok_or_else(|| BenchError::unexpected("a key that the lanes cannot use"))?;
    let measure = move || {
        let (mut done, started, until) = (0, cpu(std::process::id())?, Instant::now() + seconds);
        while Instant::now() < until {
            done += rsa_lanes::decrypt_all(&[(&key, &[1; 256]); LANES]).iter().flatten().count();
        }
        Ok(done as f64 / (cpu(std::process::id())? - started).as_secs_f64().max(0.01))
    };
    tokio::task::spawn_blocking(measure).await.map_err(|error| BenchError::of("the lanes", error))?
}

/// Machine-readable lines are `+F2:number:bits:signs a second:verifications a second`.
fn signs(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with("+F2:"))?;
    let rate: f64 = line.split(':').nth(3)?.parse().ok()?;
    (rate > 1.0).then_some(rate)
}

fn sync_time() -> Result<Duration, BenchError> {
    let folder = testkit::process::scratch("sync")?;
    let failed = |error| BenchError::Io("a file to sync", error);
    let mut file = File::create(folder.path().join("file")).map_err(failed)?;
    let block = [0x5a; 8192];
    file.write_all(&block).and_then(|()| file.sync_all()).map_err(failed)?;
    let mut times = Vec::new();
    for _ in 0..101 {
        let start = Instant::now();
        file.write_all_at(&block, 0).and_then(|()| file.sync_data()).map_err(failed)?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

fn version(program: &Path) -> String {
    let flag = if program.ends_with("openssl") { "version" } else { "--version" };
    let output = Command::new(program).arg(flag).output();
    output.map_or_else(|_| "?".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_key_operations_are_found_in_what_openssl_prints() {
        assert_eq!(signs("+H:512\n+F2:2:2048:980.5:33844.9\n"), Some(980.5));
        assert_eq!(signs("+F3:0:256:980.5\n"), None);
    }
}
