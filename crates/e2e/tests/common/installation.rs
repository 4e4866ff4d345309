//! What separate processes run on: the settings file of `k8s/base`, the secrets that `deploy/secrets` makes, a database, a
//! virtual host at a real RabbitMQ.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use testkit::database::TestDb;
use testkit::process;
use testkit::program::{self, Program, ProgramSettings};
use testkit::rabbitmq::{Vhost, vhost};

/// The services with their programs; auth first, since the others are ready once they know its keys.
pub(crate) const PROGRAMS: [(&str, &str); 7] = [
    ("auth", "sealpost-auth"),
    ("keystore", "sealpost-keystore"),
    ("mailbox", "sealpost-mailbox"),
    ("sync", "sealpost-sync"),
    ("notify", "sealpost-notify"),
    ("relay", "sealpost-relay"),
    ("sms-gateway", "sealpost-sms-gateway"),
];

/// The services that others call, as `internal.NAME_url` has them.
pub(crate) const CALLED: [&str; 5] = ["auth", "keystore", "mailbox", "sync", "relay"];

/// An installation without its processes.
pub(crate) struct Installation {
    pub(crate) db: TestDb,
    pub(crate) vhost: Vhost,
    /// The settings file.
    pub(crate) file: String,
    secrets: PathBuf,
    _folder: TempDir,
}

impl Installation {
    pub(crate) async fn make() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let folder = process::scratch("secrets").unwrap();
        let secrets = folder.path().join("secrets");
        let mut script = Command::new(root.join("deploy/secrets"));
        script.arg(&secrets).env("SEALPOST", program::binary("sealpost").unwrap());
        process::complete("deploy/secrets", &mut script).unwrap();
        let (db, vhost) = (TestDb::postgres().await, vhost().await);
        std::fs::write(secrets.join("database-url"), &db.settings().url).unwrap();
        std::fs::write(secrets.join("live-url"), vhost.url()).unwrap();
        let file = std::fs::read_to_string(root.join("k8s/base/sealpost.toml")).unwrap();
        let file = file.replace("/run/secrets", &secrets.display().to_string());
        Self { db, vhost, file, secrets, _folder: folder }
    }

    /// Makes a process of a program ready to be started.
    pub(crate) fn prepare(&self, name: &'static str, more: &[(&str, &str)]) -> Program {
        let (arguments, file) = (&["serve"][..], &*self.file);
        Program::prepare(ProgramSettings { name, arguments, file, more, folder: None }).unwrap()
    }

    /// A secret as a text.
    pub(crate) fn secret(&self, name: &str) -> String {
        std::fs::read_to_string(self.secret_file(name)).unwrap()
    }

    /// Where a secret is.
    pub(crate) fn secret_file(&self, name: &str) -> PathBuf {
        self.secrets.join(name)
    }
}
