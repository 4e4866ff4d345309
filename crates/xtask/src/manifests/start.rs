//! The real programs, on the settings that a manifest gives them.
//!
//! Databases and brokers are away: a program whose settings are sound starts, and answers its probes. One that refuses
//! its settings says so on stderr, and ends with 2.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use config::Config;
use service::CommonSettings;
use testkit::{
    http::TestClient,
    process::{self, Daemon, ports},
    program,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{Pod, secrets::beside};

const WITHIN: Duration = Duration::from_secs(20);

/// The exit code for settings that cannot work.
const REFUSED: i32 = 2;

/// Starts the program of a pod, and asks it what the pod's probes ask.
///
/// # Errors
/// What has nothing to do with the pod: a program that was not built.
pub(super) async fn findings(pod: &Pod) -> Result<Vec<String>, String> {
    let sandbox = Sandbox::of(pod)?;
    match pod.arguments.first().map(String::as_str) {
        Some("serve") => serve(pod, &sandbox).await,
        Some("migrate") => Ok(migrate(&sandbox)?),
        // The simulator: its options are those that it has.
        _ => listen(pod, &sandbox).await,
    }
}

/// The files of a pod in a folder, and its settings with that folder before each path.
struct Sandbox {
    binary: PathBuf,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    folder: tempfile::TempDir,
}

impl Sandbox {
    fn of(pod: &Pod) -> Result<Self, String> {
        let folder = process::scratch("manifest").map_err(|error| error.to_string())?;
        let root = folder.path().display().to_string();
        // All of ours lie below these two.
        let moved = |text: &str| {
            ["/run/", "/etc/sealpost/"].iter().fold(text.to_owned(), |text, place| {
                let (quoted, inside) = (format!("\"{place}"), format!("\"{root}{place}"));
                let text = text.replace(&quoted, &inside);
                if text.starts_with(place) { format!("{root}{text}") } else { text }
            })
        };
        for (path, content) in &pod.files {
            let inside = folder.path().join(path.strip_prefix("/").unwrap_or(path));
            let content = match path.extension() {
                Some(toml) if toml == "toml" => moved(&String::from_utf8_lossy(content)).into_bytes(),
                _ => content.clone(),
            };
            let written = fs::create_dir_all(inside.parent().unwrap_or(Path::new("/")))
                .and_then(|()| fs::write(&inside, content));
            written.map_err(|error| format!("{}: {error}", inside.display()))?;
        }
        Ok(Self {
            binary: program::binary(&pod.program).or_else(|_| beside(&pod.program))?,
            arguments: pod.arguments.iter().map(|argument| moved(argument)).collect(),
            environment: pod.environment.iter().map(|(name, value)| (name.clone(), moved(value))).collect(),
            folder,
        })
    }

    /// The program, without anything of the environment of this one.
    fn configure(&self, command: &mut Command) {
        command.args(&self.arguments).env_clear().envs(&self.environment);
    }

    /// The settings that services share, as the program reads them.
    fn settings(&self) -> Result<CommonSettings, String> {
        let file = self.environment.get("SEALPOST_CONFIG").map(PathBuf::from);
        let environment = self.environment.iter().map(|(name, value)| (name.clone(), value.clone()));
        let config = Config::load(file.as_deref(), environment, []).map_err(|error| error.to_string())?;
        CommonSettings::load(&config, &[]).map_err(|error| error.to_string())
    }
}

async fn serve(pod: &Pod, sandbox: &Sandbox) -> Result<Vec<String>, String> {
    let settings = match sandbox.settings() {
        Ok(settings) => settings,
        Err(fault) => return Ok(vec![fault]),
    };
    let mut findings = Vec::new();
    for (name, listen) in [("http", settings.http.listen), ("internal", settings.internal.listen)] {
        let port = pod.ports.get(name).copied();
        if port.is_some_and(|port| port != u64::from(listen.port())) {
            findings.push(format!("port {name} is {port:?}, but the settings say {listen}"));
        }
        if !listen.ip().is_unspecified() {
            findings.push(format!("{name}.listen is {listen}, where nobody outside comes"));
        }
    }
    let drain = settings.http.drain_delay + 3 * settings.http.drain_timeout;
    if drain.as_secs() >= pod.grace {
        findings.push(format!("it may take {drain:?} to end, but is killed after {} s", pod.grace));
    }

    let (http, internal) = (format!("127.0.0.1:{}", ports::free()), format!("127.0.0.1:{}", ports::free()));
    let mut command = process::mortal(&sandbox.binary);
    sandbox.configure(command.args(["--listen", &http, "--internal", &internal]));
    let client = TestClient::new(format!("http://{internal}"));
    let log = sandbox.folder.path().join("log");
    let mut running = Daemon::start("the program", command, log).map_err(|error| error.to_string())?;
    if let Err(error) = running.wait_ready(WITHIN, async || answers(&internal).await).await {
        findings.push(error.to_string());
        return Ok(findings);
    }
    for path in &pod.probes {
        let status = client.get(path).await.status.as_u16();
        // Not ready is an answer: its database is away.
        if !matches!(status, 200 | 503) {
            findings.push(format!("answers {path} with {status}"));
        }
    }
    Ok(findings)
}

/// Whether somebody answers there. A program listens before it has read all of its settings, so a connection says little.
async fn answers(address: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return false;
    };
    let asked = stream.write_all(b"GET /health/live HTTP/1.0\r\n\r\n").await;
    asked.is_ok() && stream.read_u8().await.is_ok()
}

fn migrate(sandbox: &Sandbox) -> Result<Vec<String>, String> {
    let mut command = Command::new(&sandbox.binary);
    sandbox.configure(&mut command);
    let output = command.output().map_err(|error| format!("{}: {error}", sandbox.binary.display()))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // It reaches for the database, which is not there.
    let refused = output.status.code() == Some(REFUSED) || !said.contains("database");
    Ok(if refused { vec![said] } else { Vec::new() })
}

/// A program with a listener of its own, on another port.
async fn listen(pod: &Pod, sandbox: &Sandbox) -> Result<Vec<String>, String> {
    let mut command = process::mortal(&sandbox.binary);
    sandbox.configure(&mut command);
    let log = sandbox.folder.path().join("log");
    let mut running =
        Daemon::start("the program", command, log.clone()).map_err(|error| error.to_string())?;
    let ready = async || fs::read_to_string(&log).is_ok_and(|log| log.starts_with("ready "));
    let mut findings: Vec<String> =
        running.wait_ready(WITHIN, ready).await.err().iter().map(ToString::to_string).collect();
    let said = fs::read_to_string(&log).unwrap_or_default();
    findings.extend(
        pod.ports
            .iter()
            .filter(|(_, port)| !said.contains(&format!(":{port}")))
            .map(|(name, port)| format!("port {name} is {port}, but it says: {said}")),
    );
    Ok(findings)
}
