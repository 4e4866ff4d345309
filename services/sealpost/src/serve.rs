//! `sealpost serve`: every service in one process, with what it needs to run out of the box.
//!
//! In: settings, and a data directory that this process alone uses. Out: one line on stdout when all is ready, logs on
//! stderr. What no setting gives is made at the first start and kept: secrets, a vault with two clients, an SMSC
//! simulator where no SMSC is configured. The services are the same as in programs of their own.

pub(crate) mod secrets;
mod simulator;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use config::{Config, ConfigError};
use service::{App, CommonSettings, Host, Options, StartError, Surroundings};
use smpp::smsc::Smsc;

use crate::data_dir::DataDir;
use crate::installation::{not_moved, note_moved, one_file};

/// The services in this process.
const HOSTED: [&str; 7] = [
    auth::App::NAME,
    keystore::App::NAME,
    mailbox::App::NAME,
    sync::App::NAME,
    notify::App::NAME,
    relay::App::NAME,
    sms_gateway::App::NAME,
];

#[derive(Args)]
#[command(
    mut_arg("data_dir", |arg| arg.help("Directory for secrets, SQLite files and the embedded bus [default: ./sealpost-data]")),
    mut_arg("listen", |arg| arg.help("Address of the public listener; port 0 takes a free one [default: 127.0.0.1:8080]")),
    mut_arg("internal", |arg| arg.help(
        "Address of the internal listener: health, metrics, operators; port 0 takes a free one [default: 127.0.0.1:9090]"
    ))
)]
pub(crate) struct Serve {
    #[command(flatten)]
    options: Options,
}

impl Serve {
    /// Serves until it is asked to stop.
    pub(crate) fn run(self) -> ExitCode {
        service::report(service::block_on(self.serve()))
    }

    async fn serve(self) -> Result<(), StartError> {
        let shutdown = web::shutdown_signal()?;
        let mut config = self.options.load(service::environment())?;
        let wanted = self.options.data_dir.unwrap_or_else(|| PathBuf::from(DataDir::DEFAULT));
        let data = DataDir::open(&wanted).map_err(|error| StartError::service("sealpost", error))?;
        let made = secrets::provide(&mut config, data.path())
            .map_err(|error| StartError::service("sealpost", error))?;
        let simulator = simulator::start_unless_configured(&mut config).await?;
        let settings = settings(&config, data.path())?;
        let on_postgres = !settings.database.url.is_empty();
        telemetry::init(&settings.telemetry)?;
        announce(&made, simulator.as_ref());

        let surroundings = Surroundings { data_dir: Some(data.path().to_owned()), ..Surroundings::default() };
        let mut host = Host::bind(settings, &HOSTED, surroundings)?;
        host.add::<auth::App>(&config).await?;
        host.add::<keystore::App>(&config).await?;
        host.add::<mailbox::App>(&config).await?;
        host.add::<sync::App>(&config).await?;
        host.add::<notify::App>(&config).await?;
        host.add::<relay::App>(&config).await?;
        host.add::<sms_gateway::App>(&config).await?;
        if on_postgres {
            // From the first start on, so that no later one without its settings begins on empty tables or on old ones.
            note_moved(data.path()).map_err(|error| StartError::service("sealpost", error))?;
        }
        let ready = |ready: &service::Ready| {
            let mut stdout = std::io::stdout().lock();
            writeln!(stdout, "{ready} data={}", data.path().display())?;
            Ok(stdout.flush()?)
        };
        host.run_until(ready, shutdown).await
    }
}

/// The common settings, as one process with all services wants them.
fn settings(config: &Config, data_dir: &Path) -> Result<CommonSettings, ConfigError> {
    let mut settings = CommonSettings::load(config, &[])?;
    settings.database.migrate_on_start = true;
    if settings.database.url.starts_with("sqlite:") {
        return Err(one_file());
    }
    if settings.database.url.is_empty() {
        not_moved(data_dir)?;
    }
    Ok(settings)
}

/// Tells what was made, what is simulated and what is volatile.
fn announce(made: &[PathBuf], simulator: Option<&Smsc>) {
    for path in made {
        tracing::info!(path = %path.display(), "made, and kept for later starts");
    }
    match simulator {
        Some(simulator) => tracing::warn!(
            address = %simulator.address(),
            "neither [[sms_gateway.smsc]] nor a provider over HTTP is configured: SMS go to the built-in simulator, and to no phone"
        ),
        None => tracing::info!("SMS go to the SMSCs and providers that are configured"),
    }
    tracing::info!(
        "in memory only, and lost at a restart: rate limits, hints to open sockets{}",
        if simulator.is_some() { ", receipts that the simulator has not delivered yet" } else { "" }
    );
}
