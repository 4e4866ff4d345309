//! What the SMS bench runs: PostgreSQL that syncs, Kafka, the SMSC simulator, and the gateway as a process.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bus::{Bus, BusKind, BusSettings};
use common::crypto::sms_envelope::SealingKey;
use common::crypto::vault::{Vault, VaultFormat};
use common::models::{Clock as _, SystemClock};
use smpp::smsc::{Behaviour, Receipts, Smsc, SmscSettings};
use testkit::kafka::{self, Kafka};
use testkit::postgres::Postgres;
use testkit::process;
use testkit::program::{Program, ProgramSettings};

use super::records::Batch;
use super::statuses::Statuses;
use super::{CLIENT, Envelope, KEY_BITS, Options, SEND, STATUS};
use crate::Run;
use crate::auth::Auth;
use crate::error::BenchError;
use crate::machine::cores;
use crate::report::progress;
use crate::usage::{Memory, cpu, cpu_with_children, memory};

const PASSWORD: &str = "123456";
const PARTITIONS: u16 = 4;

/// What is read before and after the records.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    pub(super) cpu: Duration,
    pub(super) postgres: Duration,
    pub(super) memory: Memory,
}

/// What runs.
pub(super) struct World {
    pub(super) postgres: Postgres,
    kafka: Kafka,
    pub(super) smsc: Smsc,
    auth: Auth,
    pub(super) bus: Bus,
    pub(super) sealing: SealingKey,
    folder: tempfile::TempDir,
    binaries: PathBuf,
    gateway: Option<Program>,
    receipts: bool,
}

impl World {
    /// Starts all but the gateway.
    ///
    /// # Errors
    /// When something cannot be started.
    pub(super) async fn start(run: &Run, options: &Options) -> Result<Self, BenchError> {
        progress("starting PostgreSQL, which syncs, and Kafka");
        let (postgres, kafka) = tokio::try_join!(Postgres::start_durable(), Kafka::start())?;
        let behaviour =
            Behaviour { receipts: (!options.no_receipts).then(Receipts::default), ..Behaviour::default() };
        let smsc = Smsc::start(SmscSettings { behaviour, keep: 1, ..SmscSettings::default() }).await;
        let smsc = smsc.map_err(|error| BenchError::Io("the SMSC simulator", error))?;
        let auth = Auth::start().await?;
        for topic in [SEND, STATUS] {
            kafka::create_topic(kafka.bootstrap(), topic, PARTITIONS).await?;
        }
        let bus = open_bus(&kafka)?;
        let folder = process::scratch("vault")?;
        let sealing = make_vault(&folder.path().join("vault"), options.envelope)?;
        let (binaries, receipts) = (run.binaries.clone(), !options.no_receipts);
        Ok(Self { postgres, kafka, smsc, auth, bus, sealing, folder, binaries, gateway: None, receipts })
    }

    /// Starts the gateway, in place of the one that runs.
    ///
    /// # Errors
    /// When it does not become ready.
    pub(super) async fn gateway(&mut self, window: usize) -> Result<(), BenchError> {
        if let Some(mut before) = self.gateway.take() {
            before.stop().await?;
        }
        progress("starting sealpost-sms-gateway");
        let file = self.settings_file(window);
        let more = [
            ("database.url", &*self.postgres.url()),
            ("internal.auth_url", &*self.auth.url()),
            ("bus.kind", "kafka"),
            ("bus.brokers", self.kafka.bootstrap()),
            ("http.workers", &*cores().to_string()),
        ];
        let settings = ProgramSettings {
            name: "sealpost-sms-gateway",
            file: &file,
            more: &more,
            folder: Some(&self.binaries),
            ..ProgramSettings::default()
        };
        self.gateway = Some(Program::start(settings).await?);
        Ok(())
    }

    fn gateway_pid(&self) -> Result<u32, BenchError> {
        let pid = self.gateway.as_ref().and_then(Program::pid);
        pid.ok_or_else(|| BenchError::unexpected("the gateway has ended"))
    }

    /// Reads what was used so far.
    ///
    /// # Errors
    /// When a program has ended.
    pub(super) fn read(&self) -> Result<Reading, BenchError> {
        let stopped = || BenchError::unexpected("PostgreSQL has ended");
        let (gateway, postgres) = (self.gateway_pid()?, self.postgres.pid().ok_or_else(stopped)?);
        let (cpu, postgres) = (cpu(gateway)?, cpu_with_children(postgres)?);
        Ok(Reading { cpu, postgres, memory: memory(gateway)? })
    }

    /// Sends a batch and waits until all its statuses are there; how long that took.
    ///
    /// # Errors
    /// When Kafka does not take it, or a status stays away.
    pub(super) async fn pass(
        &self,
        batch: &Batch,
        statuses: &mut Statuses<'_>,
    ) -> Result<Duration, BenchError> {
        let start = Instant::now();
        let gateway = self.gateway_pid()?;
        let resident = || Ok(memory(gateway)?.resident);
        let waiting = statuses.wait(batch.count(), self.receipts, resident);
        tokio::try_join!(batch.produce(&self.bus), waiting)?;
        Ok(start.elapsed())
    }

    fn settings_file(&self, window: usize) -> String {
        format!(
            "[sms_gateway]
vault = \"{}\"
vault_password = \"{PASSWORD}\"
allowed_clients = [\"{CLIENT}\"]

[[sms_gateway.smsc]]
name = \"simulator\"
port = {}
system_id = \"bench\"
password = \"secret\"
window = {window}
simulated = true
",
            self.folder.path().join("vault").display(),
            self.smsc.address().port()
        )
    }
}

fn open_bus(kafka: &Kafka) -> Result<Bus, BenchError> {
    let settings =
        BusSettings { kind: BusKind::Kafka, brokers: kafka.bootstrap().to_owned(), ..BusSettings::default() };
    Ok(Bus::open(&settings, None)?)
}

/// Writes a vault with the client's key, and gives what records are sealed with.
fn make_vault(path: &Path, envelope: Envelope) -> Result<SealingKey, BenchError> {
    let failed = |error| BenchError::of("the vault", error);
    let mut vault = Vault::new(VaultFormat::default());
    let added = match envelope {
        Envelope::V1 => vault.add(CLIENT, KEY_BITS, SystemClock.now()),
        Envelope::V2 => vault.add_x25519(CLIENT, SystemClock.now()),
    };
    added.map_err(failed)?;
    let bytes = vault.to_bytes(PASSWORD).map_err(failed)?;
    std::fs::write(path, bytes).map_err(|error| BenchError::Io("the vault", error))?;
    vault.sealing_key(CLIENT).map_err(failed)
}
