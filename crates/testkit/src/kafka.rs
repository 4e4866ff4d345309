//! A real Apache Kafka for tests: one KRaft broker on loopback ports of its own, to be killed and started at will.
//!
//! [`bootstrap`] is the broker that the whole run shares (`SEALPOST_TEST_KAFKA`); tests keep apart by
//! [`unique`] names. A test that kills its broker starts a private [`Kafka`].

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::process::{self, Daemon, InfraError, ports};

mod jars;
mod secured;
mod tools;
mod wire;

pub use jars::fetch;
pub use secured::{Certificate, Secured};

/// Variable with the address of the broker that all tests of a run share, `host:port`.
pub const SHARED: &str = "SEALPOST_TEST_KAFKA";

const READY_WITHIN: Duration = Duration::from_secs(60);

/// The address of the run's shared broker; started for this process alone when the run has none.
///
/// # Panics
/// When it cannot be started.
pub async fn bootstrap() -> &'static str {
    static ADDRESS: OnceCell<(String, Option<Kafka>)> = OnceCell::const_new();
    let start = async || {
        if let Ok(address) = std::env::var(SHARED) {
            return (address, None);
        }
        let broker = Kafka::start().await.expect("a Kafka broker for this test process");
        (broker.bootstrap().to_owned(), Some(broker))
    };
    &ADDRESS.get_or_init(start).await.0
}

/// Makes a name that no other test uses, for a topic or a consumer group: `name` and a random suffix.
#[must_use]
pub fn unique(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4().simple())
}

/// Makes a topic on the broker at `bootstrap`, with one replica, unless it exists.
///
/// # Errors
/// [`InfraError::Io`] when the broker is away or refuses.
pub async fn create_topic(bootstrap: &str, name: &str, partitions: u16) -> Result<(), InfraError> {
    wire::create_topic(bootstrap, name, partitions).await.map_err(|error| InfraError::Io("a topic", error))
}

/// A private broker. Dropped, it is killed and its data is removed.
#[derive(Debug)]
pub struct Kafka {
    bootstrap: String,
    jars: PathBuf,
    secured: Option<Secured>,
    running: Option<Daemon>,
    // Last, so that the folder goes after the process that writes to it.
    data: TempDir,
}

impl Kafka {
    /// Starts a broker on free ports; ready when it has answered a metadata request. Takes 3 to 4 seconds.
    /// Topics are made on first use, with 4 partitions.
    ///
    /// # Errors
    /// [`InfraError`] when Java, Maven or the jars are missing, or the broker does not start.
    pub async fn start() -> Result<Self, InfraError> {
        Self::prepare(|_| Ok(None)).await
    }

    /// As [`Kafka::start`], with a second listener that wants TLS and a password: see [`Kafka::secured`].
    ///
    /// # Errors
    /// As [`Kafka::start`]; [`InfraError::Command`] when openssl fails.
    pub async fn start_secured() -> Result<Self, InfraError> {
        Self::prepare(|folder| Secured::make(ports::free(), "none", folder).map(Some)).await
    }

    /// As [`Kafka::start_secured`], and lets in only who shows a certificate, too: see [`Secured::security_with`].
    ///
    /// # Errors
    /// As [`Kafka::start_secured`].
    pub async fn start_mutual() -> Result<Self, InfraError> {
        Self::prepare(|folder| Secured::make(ports::free(), "required", folder).map(Some)).await
    }

    async fn prepare(
        secure: impl FnOnce(&Path) -> Result<Option<Secured>, InfraError>,
    ) -> Result<Self, InfraError> {
        let jars = tokio::task::spawn_blocking(fetch).await.map_err(|_| panicked())??;
        let data = process::scratch("kafka")?;
        let (port, secured) = (ports::free(), secure(data.path())?);
        let bootstrap = format!("127.0.0.1:{port}");
        let settings = properties(port, ports::free(), &data.path().join("log"), secured.as_ref());
        let mut kafka = Self { bootstrap, jars, secured, running: None, data };
        std::fs::write(kafka.settings(), settings)
            .map_err(|error| InfraError::Io("server.properties", error))?;
        kafka.format().await?;
        kafka.restart().await?;
        Ok(kafka)
    }

    /// The listener with TLS and a password.
    ///
    /// # Panics
    /// When the broker was not started by [`Kafka::start_secured`].
    #[must_use]
    pub fn secured(&self) -> &Secured {
        self.secured.as_ref().expect("a broker of start_secured")
    }

    /// The broker's address, `127.0.0.1:port`; the same after a restart.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Kills the broker with SIGKILL. Its data and ports are kept for [`Kafka::restart`].
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Stops the broker the orderly way (SIGTERM).
    ///
    /// # Errors
    /// [`InfraError::Io`] when the signal cannot be sent.
    pub async fn stop(&mut self) -> Result<(), InfraError> {
        match self.running.take() {
            Some(mut broker) => broker.stop(Duration::from_secs(20)).await,
            None => Ok(()),
        }
    }

    /// Starts the broker again on its data and ports, and waits until it answers; kills it first if it runs.
    ///
    /// # Errors
    /// [`InfraError::NotReady`] with the end of the broker's log.
    pub async fn restart(&mut self) -> Result<(), InfraError> {
        self.kill();
        let mut java = process::mortal("java");
        java.args(["-Xmx256m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
            .arg("-cp")
            .arg(self.class_path())
            .arg("kafka.Kafka")
            .arg(self.settings());
        let mut broker = Daemon::start("Kafka", java, self.data.path().join("broker.log"))?;
        broker.wait_ready(READY_WITHIN, async || wire::answers(&self.bootstrap).await).await?;
        self.running = Some(broker);
        Ok(())
    }

    async fn format(&self) -> Result<(), InfraError> {
        let mut command = Command::new("java");
        command
            .args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"])
            .arg(self.class_path())
            .args(["kafka.tools.StorageTool", "format", "--standalone", "-t"])
            // Any 16 bytes in base64url; a broker serves one cluster of its own.
            .arg("c2VhbHBvc3QtdGVzdC1rYQ")
            .arg("-c")
            .arg(self.settings())
            .args(self.secured.iter().flat_map(Secured::users));
        let formatting = move || process::complete("kafka.tools.StorageTool", &mut command);
        tokio::task::spawn_blocking(formatting).await.map_err(|_| panicked())?
    }

    fn settings(&self) -> PathBuf {
        self.data.path().join("server.properties")
    }

    fn class_path(&self) -> PathBuf {
        self.jars.join("*")
    }
}

fn panicked() -> InfraError {
    InfraError::Io("Kafka", std::io::Error::other("the starting task ended early"))
}

/// Settings of a single node on loopback. The short timeouts make a restart after SIGKILL take 4 seconds instead of
/// 12 (the controller waits for the dead broker's session, and a shorter one ends when a busy machine forgets a broker for
/// a while), and let consumers use sessions of 1.5 seconds.
fn properties(port: u16, controller_port: u16, logs: &Path, secured: Option<&Secured>) -> String {
    let logs = logs.display();
    let listener = secured.map(Secured::listener).unwrap_or_default();
    let security = secured.map(Secured::properties).unwrap_or_default();
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}{listener}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}{listener}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL
log.dirs={logs}
num.partitions=4
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
log.cleaner.dedupe.buffer.size=8388608
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=3000
controller.quorum.election.timeout.ms=300
controller.quorum.fetch.timeout.ms=1000
{security}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::wait_until;

    #[tokio::test]
    async fn killed_broker_is_gone_and_answers_again_on_the_same_port_after_a_restart() {
        let mut kafka = Kafka::start().await.unwrap();
        let address = kafka.bootstrap().to_owned();
        wait_until("an answer", || wire::answers(kafka.bootstrap())).await;

        kafka.kill();
        assert!(!wire::answers(kafka.bootstrap()).await);

        kafka.restart().await.unwrap();
        assert_eq!(kafka.bootstrap(), address);
        wait_until("an answer", || wire::answers(kafka.bootstrap())).await;
    }
}
