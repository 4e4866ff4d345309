//! nginx on the files of `deploy/nginx`, with nothing changed but addresses and folders.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use testkit::certificates;
use testkit::process::{self, Daemon, ports};

/// A running nginx.
pub(crate) struct Nginx {
    /// Its listener with TLS.
    pub(crate) address: SocketAddr,
    /// Its listener without.
    pub(crate) plain: SocketAddr,
    _running: Daemon,
    folder: TempDir,
}

impl Nginx {
    /// Starts it before services at the addresses that their names have in `services`.
    pub(crate) async fn start(services: &BTreeMap<&'static str, String>) -> Self {
        let folder = process::scratch("nginx").unwrap();
        let [address, plain] = [(); 2].map(|()| SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free())));
        let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nginx");
        let here = folder.path().display().to_string();
        let mut conf = std::fs::read_to_string(deploy.join("sealpost.conf")).unwrap();
        for (name, server) in services {
            conf = changed(&conf, &format!("server {name}:8080;"), &format!("server {server};"));
        }
        conf = changed(&conf, "    listen [::]:443 ssl;\n", "");
        conf = changed(&conf, "    listen [::]:80;\n", "");
        conf = changed(&conf, "listen 443 ssl;", &format!("listen {address} ssl;"));
        conf = changed(&conf, "listen 80;", &format!("listen {plain};"));
        conf = changed(&conf, "/etc/nginx/sealpost/", &format!("{here}/"));
        conf = changed(&conf, "tls.crt", "tls.pem");
        conf = changed(&conf, "/var/log/nginx/", &format!("{here}/"));
        std::fs::write(folder.path().join("sealpost.conf"), conf).unwrap();
        std::fs::copy(deploy.join("locations.conf"), folder.path().join("locations.conf")).unwrap();
        // What Debian's nginx.conf has around it. A worker of another user could not read the folder of this test.
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = temporary.map(|kind| format!("{kind}_temp_path {here}/{kind};")).concat();
        let user = if running_as_root() { "user root;" } else { "" };
        // One process: workers outlive a master that is killed.
        let main = format!(
            "{user} daemon off; master_process off; pid {here}/pid; error_log {here}/error.log warn;
             events {{ worker_connections 1024; }}
             http {{ {temporary} include {here}/sealpost.conf; }}"
        );
        std::fs::write(folder.path().join("nginx.conf"), main).unwrap();
        certificates::self_signed(folder.path(), "tls").unwrap();

        let mut command = process::mortal("nginx");
        command.arg("-p").arg(folder.path()).arg("-e").arg(folder.path().join("error.log"));
        command.arg("-c").arg(folder.path().join("nginx.conf"));
        // Debian keeps it where only root's PATH leads.
        command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
        let mut running = Daemon::start("nginx", command, folder.path().join("log")).unwrap();
        let listens = async || tokio::net::TcpStream::connect(address).await.is_ok();
        running.wait_ready(Duration::from_secs(20), listens).await.unwrap();
        Self { address, plain, _running: running, folder }
    }

    /// The file with its certificate, which it has signed itself.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("tls.pem")
    }

    /// What it has written to its access log so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("sealpost.log")).unwrap()
    }
}

/// `text` with every `from` as `to`; there has to be one.
fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "deploy/nginx/sealpost.conf has no {from}");
    text.replace(from, to)
}

fn running_as_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}
