//! `serve`: first and later starts, one user of a data directory, the whole way of an SMS.

mod accounts;
mod backups;
mod backups_of_postgres;
mod binds;
mod console;
mod first_start;
mod gateway_client;
mod hangup;
mod invites;
mod mail;
mod messages;
mod metrics;
mod moves;
mod notifications;
mod postgres;
mod readme;
mod settings;
mod sms;

use std::path::PathBuf;
use std::time::Duration;

use testkit::http::TestClient;

use crate::program::{Place, Running};

/// A standalone that is ready.
pub(crate) struct Standalone {
    pub(crate) program: Running,
    pub(crate) url: String,
    pub(crate) internal_url: String,
    pub(crate) http: TestClient,
    pub(crate) internal: TestClient,
    pub(crate) data: PathBuf,
}

impl Standalone {
    /// Starts one on `data` in `place` with further options, and waits until it is ready.
    pub(crate) async fn start(place: &Place, options: &str) -> Self {
        Self::start_at(place, "127.0.0.1:0", options).await
    }

    /// The same, with an internal listener that others know beforehand.
    pub(crate) async fn start_at(place: &Place, internal: &str, options: &str) -> Self {
        Self::ready(begin_at(place, internal, options)).await
    }

    /// Starts one on another data directory in `place`.
    pub(crate) async fn start_on(place: &Place, data: &str, options: &str) -> Self {
        let listeners = "--listen 127.0.0.1:0 --internal 127.0.0.1:0";
        Self::ready(place.start(&format!("serve --data-dir {data} {listeners} {options}"))).await
    }

    async fn ready(program: Running) -> Self {
        let line = program.line("ready ").await;
        assert_eq!(program.stdout(), format!("{line}\n"), "stdout has this one line");
        let field = |name: &str| {
            let found = line.split(' ').find_map(|field| field.strip_prefix(name));
            found.unwrap_or_else(|| panic!("{name} in {line}")).to_owned()
        };
        let (url, internal_url) = (field("http="), field("internal="));
        Self {
            http: TestClient::new(&url),
            internal: TestClient::new(&internal_url),
            data: field("data=").into(),
            url,
            internal_url,
            program,
        }
    }

    /// A secret from the data directory.
    pub(crate) fn secret(&self, name: &str) -> String {
        let secret = std::fs::read_to_string(self.data.join("secrets").join(name)).expect("a secret");
        secret.trim_end().to_owned()
    }

    /// Stops it the orderly way.
    pub(crate) async fn stop(mut self) {
        self.program.signal("TERM");
        let status = self.program.end().await;
        assert!(status.success(), "{status}: {}", self.program.stderr());
    }
}

/// Starts one on free ports, and does not wait.
pub(crate) fn begin(place: &Place, options: &str) -> Running {
    begin_at(place, "127.0.0.1:0", options)
}

fn begin_at(place: &Place, internal: &str, options: &str) -> Running {
    place.start(&format!("serve --data-dir data --listen 127.0.0.1:0 --internal {internal} {options}"))
}

/// Time on a processor, which does not grow with what else the machine does: what fails this is a fault, not bad luck.
const STARTED_WITHIN: Duration = Duration::from_secs(5);
/// Likewise, in kilobytes: seven services with a database each, unoptimized.
const RESIDENT: u64 = 180 * 1024;

#[tokio::test]
async fn a_start_is_quick_and_small() {
    let place = Place::new();
    Standalone::start(&place, "").await.stop().await;

    let server = Standalone::start(&place, "").await;

    let told = |file: &str| {
        let path = format!("/proc/{}/{file}", server.program.pid());
        std::fs::read_to_string(path).expect("what the kernel tells of it")
    };
    let (stat, status) = (told("stat"), told("status"));
    // Hundredths of a second in user mode and in the kernel; the fields are counted from behind the name (proc_pid_stat(5)).
    let fields = stat.rsplit(')').next().expect("fields").split_whitespace();
    let hundredths = fields.skip(11).take(2).map(|field| field.parse::<u64>().expect("a number"));
    let took = Duration::from_millis(10 * hundredths.sum::<u64>());
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    let resident: u64 = resident.trim().trim_end_matches(" kB").parse().expect("kilobytes");
    eprintln!("ready after {} ms of work with {} MB resident", took.as_millis(), resident / 1024);
    assert!(took < STARTED_WITHIN, "{took:?}");
    assert!(resident < RESIDENT, "{resident} kB");
}
