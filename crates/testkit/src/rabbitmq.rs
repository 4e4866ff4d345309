//! A real RabbitMQ for tests: a private node with its own epmd, on loopback ports only.
//!
//! [`vhost`] makes an empty virtual host on the node that the whole run shares (`SEALPOST_TEST_AMQP`), so that tests
//! may use the same exchange and queue names. A test that kills its node starts a private [`RabbitMq`].

mod secured;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use url::Url;

use crate::process::{self, Daemon, InfraError, ports};

pub use self::secured::SecuredRabbitMq;

/// Variable with the URL of the node that all tests of a run share: `amqp://guest:guest@127.0.0.1:PORT/%2f`.
pub const SHARED: &str = "SEALPOST_TEST_AMQP";
/// Variable with the URL of that node's management API: `http://guest:guest@127.0.0.1:PORT/`.
pub const SHARED_MANAGEMENT: &str = "SEALPOST_TEST_AMQP_MANAGEMENT";

/// Debian's start script; the wrapper of the same name on the PATH writes to /var and wants to be root.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const READY_WITHIN: Duration = Duration::from_secs(90);

/// An empty virtual host of the run's shared node. The node is started for this process alone when the run has none.
///
/// # Panics
/// When the node cannot be started, or refuses.
pub async fn vhost() -> Vhost {
    static NODE: OnceCell<(Vhost, Option<RabbitMq>)> = OnceCell::const_new();
    let start = async || {
        if let (Ok(amqp), Ok(management)) = (std::env::var(SHARED), std::env::var(SHARED_MANAGEMENT)) {
            let parsed = "the URLs of the shared node";
            return (Vhost::new(amqp.parse().expect(parsed), management.parse().expect(parsed)), None);
        }
        let node = RabbitMq::start().await.expect("a RabbitMQ node for this test process");
        (node.root(), Some(node))
    };
    NODE.get_or_init(start).await.0.create().await.expect("a virtual host")
}

/// A virtual host of a node: where to connect, and the node's management API.
#[derive(Debug, Clone)]
pub struct Vhost {
    amqp: Url,
    management: Url,
}

impl Vhost {
    fn new(amqp: Url, management: Url) -> Self {
        Self { amqp, management }
    }

    /// URL for AMQP clients, with user and password.
    #[must_use]
    pub fn url(&self) -> &str {
        self.amqp.as_str()
    }

    /// Name of the virtual host as the management API's paths write it (`/` is `%2F`).
    #[must_use]
    pub fn name(&self) -> &str {
        self.amqp.path().trim_start_matches('/')
    }

    /// URL of the management API below `/api/`, with user and password.
    ///
    /// # Panics
    /// When `path` is not a relative URL.
    #[must_use]
    pub fn api(&self, path: &str) -> Url {
        self.management.join("/api/").and_then(|api| api.join(path)).expect("a path of the management API")
    }

    /// Closes every client connection of this virtual host from the broker's side; answers how many.
    ///
    /// # Errors
    /// [`reqwest::Error`] when the management API does not answer.
    pub async fn close_connections(&self) -> Result<usize, reqwest::Error> {
        let client = client();
        let list = client.get(self.api(&format!("vhosts/{}/connections", self.name()))).send().await?;
        let list: Vec<serde_json::Value> = list.error_for_status()?.json().await?;
        for connection in &list {
            let name =
                connection["name"].as_str().unwrap_or_default().replace(' ', "%20").replace('>', "%3E");
            client.delete(self.api(&format!("connections/{name}"))).send().await?;
        }
        Ok(list.len())
    }

    /// Routing keys by which queues are bound to an exchange; none when it does not exist.
    ///
    /// # Errors
    /// [`reqwest::Error`] when the management API does not answer.
    pub async fn bindings(&self, exchange: &str) -> Result<Vec<String>, reqwest::Error> {
        let url = self.api(&format!("exchanges/{}/{exchange}/bindings/source", self.name()));
        let list: Vec<serde_json::Value> = client().get(url).send().await?.error_for_status()?.json().await?;
        Ok(list.iter().filter_map(|binding| binding["routing_key"].as_str().map(str::to_owned)).collect())
    }

    async fn create(&self) -> Result<Self, reqwest::Error> {
        let mut vhost = self.clone();
        let name = uuid::Uuid::new_v4().simple().to_string();
        vhost.amqp.set_path(&name);
        client().put(vhost.api(&format!("vhosts/{name}"))).send().await?.error_for_status()?;
        let all = serde_json::json!({ "configure": ".*", "write": ".*", "read": ".*" });
        client()
            .put(vhost.api(&format!("permissions/{name}/guest")))
            .json(&all)
            .send()
            .await?
            .error_for_status()?;
        Ok(vhost)
    }
}

fn client() -> reqwest::Client {
    // Another part of the process may have installed it already: the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// A private node. Dropped, it is killed and its data is removed.
#[derive(Debug)]
pub struct RabbitMq {
    ports: Ports,
    running: Option<Daemon>,
    _epmd: Daemon,
    // Last, so that the folder goes after the processes that write to it.
    data: TempDir,
}

#[derive(Debug)]
struct Ports {
    amqp: u16,
    management: u16,
    distribution: u16,
    epmd: u16,
}

impl RabbitMq {
    /// Starts a node on free ports; ready when AMQP and the management API answer. Takes about 9 seconds.
    ///
    /// # Errors
    /// [`InfraError`] when RabbitMQ is not installed or does not start.
    pub async fn start() -> Result<Self, InfraError> {
        Self::start_with("[rabbitmq_management].\n", "").await
    }

    /// Starts a node that asks below `base`, an address of HTTP, about all users but its own `guest`
    /// (`rabbitmq_auth_backend_http`). Nobody need answer there yet.
    ///
    /// # Errors
    /// As [`RabbitMq::start`].
    pub async fn asking(base: &str) -> Result<Self, InfraError> {
        let paths = ["user", "vhost", "resource", "topic"]
            .map(|question| format!("auth_http.{question}_path = {base}/{question}\n"));
        let settings = format!(
            "auth_backends.1 = internal\nauth_backends.2 = http\nauth_http.http_method = post\n{}",
            paths.concat()
        );
        Self::start_with("[rabbitmq_management,rabbitmq_auth_backend_http].\n", &settings).await
    }

    /// Starts a node that has an alarm for memory from the beginning: it takes nothing from whoever publishes.
    ///
    /// # Errors
    /// As [`RabbitMq::start`].
    pub async fn short_of_memory() -> Result<Self, InfraError> {
        Self::start_with("[rabbitmq_management].\n", "vm_memory_high_watermark.absolute = 1\n").await
    }

    async fn start_with(plugins: &str, more: &str) -> Result<Self, InfraError> {
        if !Path::new(SERVER).exists() {
            let hint = "install Debian's package rabbitmq-server".to_owned();
            return Err(InfraError::Missing { what: SERVER.to_owned(), hint });
        }
        let ports = Ports {
            amqp: ports::free(),
            management: ports::free(),
            distribution: ports::free(),
            epmd: ports::free(),
        };
        let data = process::scratch("rabbitmq")?;
        write(data.path().join("rabbitmq.conf"), &(settings(&ports) + more))?;
        write(data.path().join("plugins"), plugins)?;
        // Started by us, since the daemon that a node starts on its own would stay when the node is gone.
        let mut epmd = process::mortal("epmd");
        epmd.args(["-address", "127.0.0.1", "-port", &ports.epmd.to_string()]);
        let mut epmd = Daemon::start("epmd", epmd, data.path().join("epmd.log"))?;
        let port = ports.epmd;
        epmd.wait_ready(READY_WITHIN, async || listens(port).await).await?;
        let mut node = Self { ports, running: None, _epmd: epmd, data };
        node.restart().await?;
        Ok(node)
    }

    /// URL for AMQP clients: user `guest`, virtual host `/`. The same after a restart.
    #[must_use]
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.ports.amqp)
    }

    /// URL of the management API, with user and password.
    #[must_use]
    pub fn management_url(&self) -> String {
        format!("http://guest:guest@127.0.0.1:{}/", self.ports.management)
    }

    /// The node's first virtual host, `/`.
    ///
    /// # Panics
    /// Never: both URLs are made here.
    #[must_use]
    pub fn root(&self) -> Vhost {
        let parsed = "a URL of this node";
        Vhost::new(self.url().parse().expect(parsed), self.management_url().parse().expect(parsed))
    }

    /// Waits until queues that were declared just now survive a kill. The node writes its directory of quorum queues half a
    /// second after the last change (`auto_save` of Ra's `names.dets`), which nothing can be asked about; a queue that is
    /// not in it has its messages on disk, and never answers again (3.10.8). So at least 2 seconds, and for up to 10 more
    /// until the file names all of them and is no longer written to.
    pub async fn settle(&self) {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let begun = Instant::now();
        while self.has_settled().await != Some(true) && begun.elapsed() < Duration::from_secs(10) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Whether the directory has the names of all quorum queues, and has rested for a second. `None` when the node does not
    /// tell them, or the file is not there.
    async fn has_settled(&self) -> Option<bool> {
        let queues = client().get(self.root().api("queues")).send().await.ok()?;
        let queues: Vec<serde_json::Value> = queues.json().await.ok()?;
        let node = self.node();
        let file = self.data.path().join("mnesia").join(&node).join("quorum").join(&node).join("names.dets");
        let rests = std::fs::metadata(&file).ok()?.modified().ok()?.elapsed().ok()?;
        let directory = std::fs::read(&file).ok()?;
        let mut names = queues
            .iter()
            .filter(|queue| queue["arguments"]["x-queue-type"] == "quorum")
            .filter_map(|queue| queue["name"].as_str().map(str::as_bytes));
        let all = names.all(|name| directory.windows(name.len().max(1)).any(|part| part == name));
        Some(all && rests >= Duration::from_secs(1))
    }

    fn node(&self) -> String {
        format!("test{}@localhost", self.ports.amqp)
    }

    /// Kills the node with SIGKILL. Its data and ports are kept for [`RabbitMq::restart`].
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Starts the node again on its data and ports, and waits until it answers; kills it first if it runs.
    ///
    /// # Errors
    /// [`InfraError::NotReady`] with the end of the node's log.
    pub async fn restart(&mut self) -> Result<(), InfraError> {
        self.kill();
        let data = self.data.path();
        let mut server = process::mortal(SERVER);
        server
            .env("HOME", data)
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", self.ports.epmd.to_string())
            .env("RABBITMQ_NODENAME", self.node())
            .env("RABBITMQ_DIST_PORT", self.ports.distribution.to_string())
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
            .env("RABBITMQ_MNESIA_BASE", data.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", data.join("log"))
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_CONFIG_FILE", data.join("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", data.join("plugins"))
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            // The script then becomes the Erlang machine instead of waiting for it: one process to kill.
            .env("RUNNING_UNDER_SYSTEMD", "true");
        let mut server = Daemon::start("RabbitMQ", server, data.join("node.log"))?;
        let Ports { amqp, management, .. } = self.ports;
        let ready = async || listens(amqp).await && listens(management).await;
        server.wait_ready(READY_WITHIN, ready).await?;
        self.running = Some(server);
        Ok(())
    }
}

async fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).await.is_ok()
}

fn write(path: PathBuf, text: &str) -> Result<(), InfraError> {
    std::fs::write(path, text).map_err(|error| InfraError::Io("settings of RabbitMQ", error))
}

fn settings(ports: &Ports) -> String {
    format!(
        "listeners.tcp.1 = 127.0.0.1:{}
management.tcp.ip = 127.0.0.1
management.tcp.port = {}
log.file = false
log.console = true
log.console.level = warning
",
        ports.amqp, ports.management
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn killed_node_is_gone_and_serves_again_on_the_same_ports_after_a_restart() {
        let mut node = RabbitMq::start().await.unwrap();
        let url = node.url();

        node.kill();
        assert!(!listens(node.ports.amqp).await);

        node.restart().await.unwrap();
        assert_eq!(node.url(), url);
        node.root().create().await.unwrap();
    }
}
