//! The command line that every service's program has: `serve` (default), `migrate`, `openapi`.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use config::{Config, ConfigError};
use db::Db;
use tempfile::TempDir;

use crate::app::{App, Switch};
use crate::error::StartError;
use crate::host::{Host, Surroundings, migrate_database};
use crate::settings::{CommonSettings, OTHER_NAMES};

/// Batches are many small buffers that live for milliseconds and are freed by other threads than made them: the system's
/// allocator took a tenth of the gateway's time for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// No documentation: clap would print it before a program's own.
#[allow(missing_docs)]
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// Address of the public listener, such as 0.0.0.0:8080; port 0 takes a free one
    #[arg(long, global = true, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Address of the internal listener (health, metrics, calls between services, operators)
    #[arg(long, global = true, value_name = "ADDR")]
    pub internal: Option<SocketAddr>,
    /// Settings file (TOML); SEALPOST__SECTION__FIELD in the environment overrides it
    #[arg(long, global = true, value_name = "FILE", env = "SEALPOST_CONFIG")]
    pub config: Option<PathBuf>,
    /// Directory for SQLite files and the embedded bus
    #[arg(long, global = true, value_name = "DIR", env = "SEALPOST_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Settings, by dotted paths, that other options of the program stand for.
    #[arg(skip)]
    pub switched_on: Vec<&'static str>,
    /// Secrets, by dotted paths, that are made up for the run if they are not in the environment.
    #[arg(skip)]
    pub made_up: Vec<&'static str>,
    /// Whether the run has a data directory of its own if none is named.
    #[arg(skip)]
    pub scratch: bool,
}

impl Options {
    /// Loads the settings: file, then `env`, then these options.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(&self, env: impl IntoIterator<Item = (String, String)>) -> Result<Config, ConfigError> {
        let overrides = [("http.listen", self.listen), ("internal.listen", self.internal)];
        let overrides = overrides.into_iter().filter_map(|(path, address)| Some((path, address?)));
        let overrides = overrides.map(|(path, address)| (path.to_owned(), address.to_string()));
        let switched_on = self.switched_on.iter().map(|path| ((*path).to_owned(), "true".to_owned()));
        let overrides = overrides.chain(switched_on);
        let mut env: Vec<(String, String)> = env.into_iter().collect();
        for path in &self.made_up {
            let name = format!("SEALPOST__{}", path.replace('.', "__").to_uppercase());
            if !env.iter().any(|(known, _)| *known == name || known.strip_suffix("_FILE") == Some(&name)) {
                env.push((name, uuid::Uuid::new_v4().simple().to_string()));
            }
        }
        let mut config = Config::load(self.config.as_deref(), env, overrides)?;
        for (other, section) in OTHER_NAMES {
            config.rename_section(other, section)?;
        }
        Ok(config)
    }
}

/// The environment as far as it is Unicode; settings are.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

#[derive(Debug, Parser)]
#[command(version, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

#[derive(Clone, Copy, Debug, Default, Subcommand)]
enum Command {
    /// Serve (the default)
    #[default]
    Serve,
    /// Apply pending migrations and exit
    Migrate,
    /// Print the interface description (OpenAPI 3.1, JSON) and exit
    Openapi,
}

/// The whole `main` of a service's program. Exits with 0 when it was asked to stop, 2 for arguments and settings that
/// cannot work, 1 for everything else.
#[must_use]
pub fn main<A: App>() -> ExitCode {
    let name = format!("sealpost-{}", A::NAME);
    let command = command::<A>().display_name(name.clone()).bin_name(name);
    match command.try_get_matches().and_then(|found| arguments::<A>(&found)) {
        Ok(arguments) => report(block_on(run::<A>(arguments))),
        Err(error) => error.exit(),
    }
}

/// The command line of a service's program, its switches included.
fn command<A: App>() -> clap::Command {
    let switch = |switch: &Switch| {
        let arg = clap::Arg::new(switch.name).long(switch.name).help(switch.help);
        arg.action(clap::ArgAction::SetTrue).global(true)
    };
    Arguments::command().args(A::SWITCHES.iter().map(switch))
}

fn arguments<A: App>(found: &clap::ArgMatches) -> Result<Arguments, clap::Error> {
    let mut arguments = Arguments::from_arg_matches(found)?;
    let on = || A::SWITCHES.iter().filter(|switch| found.get_flag(switch.name));
    arguments.options.switched_on = on().flat_map(|switch| switch.settings).copied().collect();
    arguments.options.made_up = on().flat_map(|switch| switch.made_up).copied().collect();
    arguments.options.scratch = on().any(|switch| switch.scratch);
    Ok(arguments)
}

/// How long calls that block may hold the process after everything else has ended.
const BLOCKING_GRACE: Duration = Duration::from_secs(2);

/// Runs a program. Tasks of services run here, on half of the cores: requests, writers and whatever computes for long have
/// threads of their own, and each worker more is one more to be woken when a task wakes another.
///
/// # Errors
/// The program's, and a runtime that cannot be made.
pub fn block_on(program: impl Future<Output = Result<(), StartError>>) -> Result<(), StartError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(cores.div_ceil(2)).enable_all().build()?;
    let result = runtime.block_on(program);
    runtime.shutdown_timeout(BLOCKING_GRACE);
    result
}

/// Turns the end of a program into its exit code, and tells on stderr why it failed.
#[must_use]
pub fn report(result: Result<(), StartError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not through the log: wrong settings may have kept it from being set up.
            let _ = writeln!(std::io::stderr(), "error: {}", chain(&error));
            error.exit_code()
        }
    }
}

/// An error and what caused it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // A transparent wrapper repeats what it wraps.
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

async fn run<A: App>(arguments: Arguments) -> Result<(), StartError> {
    let Arguments { command, options } = arguments;
    let config = || options.load(environment());
    let mut out = std::io::stdout();
    match command.unwrap_or_default() {
        Command::Serve => {
            let scratch = (options.scratch && options.data_dir.is_none()).then(scratch_dir).transpose()?;
            let data_dir = scratch.as_ref().map(|dir| dir.path().to_owned()).or(options.data_dir.clone());
            let surroundings = Surroundings { data_dir, ..Surroundings::default() };
            let shutdown = web::shutdown_signal()?;
            serve::<A>(&config()?, surroundings, &mut out, shutdown).await
        }
        Command::Migrate => {
            for version in migrate::<A>(&config()?, options.data_dir.clone()).await? {
                writeln!(out, "applied {version}")?;
            }
            Ok(())
        }
        Command::Openapi => Ok(writeln!(out, "{}", openapi::<A>()?)?),
    }
}

/// Readable by its owner alone.
fn scratch_dir() -> std::io::Result<TempDir> {
    let owner_alone = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    tempfile::Builder::new().prefix("sealpost-").permissions(owner_alone).tempdir()
}

/// Serves one service until `shutdown` resolves; writes the ready line to `out`.
///
/// # Errors
/// Any [`StartError`].
pub async fn serve<A: App>(
    config: &Config,
    surroundings: Surroundings,
    out: &mut impl Write,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), StartError> {
    let settings = CommonSettings::load(config, &[&A::section()])?;
    telemetry::init(&settings.telemetry)?;
    let mut host = Host::bind(settings, &[A::NAME], surroundings)?;
    host.add::<A>(config).await?;
    let announce = |ready: &crate::host::Ready| {
        writeln!(out, "{ready}")?;
        Ok(out.flush()?)
    };
    host.run_until(announce, shutdown).await
}

/// Applies the pending migrations of one service, and returns their versions. Needs no secret but the database's.
///
/// # Errors
/// [`StartError::Config`] or [`StartError::Db`].
pub async fn migrate<A: App>(config: &Config, data_dir: Option<PathBuf>) -> Result<Vec<String>, StartError> {
    telemetry::init(&config.section("telemetry")?)?;
    let database: crate::settings::DatabaseSection = config.section("database")?;
    let schema = A::section();
    let db = Db::new(&database.of(&schema, data_dir.as_deref())?, &schema)?;
    migrate_database::<A>(&db).await
}

/// The interface description of one service, as JSON.
///
/// # Errors
/// [`StartError::Service`] if it cannot be written as JSON.
pub fn openapi<A: App>() -> Result<String, StartError> {
    let title = format!("Sealpost {}", A::NAME);
    web::openapi(&title, env!("CARGO_PKG_VERSION"), &A::routes())
        .to_pretty_json()
        .map_err(|error| StartError::service(A::NAME, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Arguments {
        Arguments::try_parse_from([&["sealpost-toy"], arguments].concat()).unwrap()
    }

    #[test]
    fn the_options_are_accepted_before_and_after_the_command() {
        for arguments in [
            &["--listen", "127.0.0.1:0", "migrate", "--internal", "[::1]:1"][..],
            &["migrate", "--listen", "127.0.0.1:0", "--internal", "[::1]:1"],
        ] {
            let parsed = parse(arguments);

            assert!(matches!(parsed.command, Some(Command::Migrate)));
            assert_eq!(parsed.options.listen, Some("127.0.0.1:0".parse().unwrap()));
            assert_eq!(parsed.options.internal, Some("[::1]:1".parse().unwrap()));
        }
    }

    #[test]
    fn serve_is_the_default() {
        assert!(matches!(parse(&[]).command.unwrap_or_default(), Command::Serve));
    }

    #[test]
    fn flags_override_the_environment() {
        let options = parse(&["--listen", "127.0.0.1:7"]).options;
        let env = [("SEALPOST__HTTP__LISTEN".to_owned(), "127.0.0.1:8".to_owned())];

        let http: web::HttpSettings = options.load(env).unwrap().section("http").unwrap();

        assert_eq!(http.listen, "127.0.0.1:7".parse().unwrap());
    }

    #[test]
    fn settings_that_cannot_work_exit_with_2() {
        let config = StartError::from(ConfigError::invalid("x.y", "wrong"));
        let db = StartError::from(db::DbError::Overloaded("busy"));

        assert_eq!(format!("{:?}", config.exit_code()), format!("{:?}", ExitCode::from(2)));
        assert_eq!(format!("{:?}", db.exit_code()), format!("{:?}", ExitCode::FAILURE));
    }
}
