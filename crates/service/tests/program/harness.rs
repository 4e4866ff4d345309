//! Runs the toy by `service::serve`, as its program would.

use std::io::Write;
use std::sync::{Arc, Mutex};

use config::Config;
use service::{Surroundings, serve};
use tempfile::TempDir;
use testkit::http::TestClient;
use testkit::wait::wait_for;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::toy::Toy;

pub(crate) const TOKEN: &str = "the token between services";

/// What a program writes to stdout.
#[derive(Clone, Default)]
pub(crate) struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Settings of the toy, with `more` on top: pairs of dotted path and value.
pub(crate) fn settings(auth: &Url, more: &[(&str, &str)]) -> Config {
    let base = [
        ("http.listen", "127.0.0.1:0"),
        ("http.workers", "1"),
        ("internal.listen", "127.0.0.1:0"),
        ("internal.token", TOKEN),
        ("internal.refresh", "50ms"),
        ("internal.auth_url", auth.as_str()),
        ("database.migrate_on_start", "true"),
        ("telemetry.level", "warn"),
        ("toy_box.greeting", "hello"),
    ];
    let all = base.iter().chain(more).map(|(path, value)| ((*path).to_owned(), (*value).to_owned()));
    Config::load(None, [], all).unwrap()
}

/// A toy that runs until it is dropped.
pub(crate) struct Running {
    pub(crate) output: Output,
    stop: CancellationToken,
    task: JoinHandle<()>,
    data: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Running {
    pub(crate) fn start(config: Config) -> Self {
        let (output, stop, data) =
            (Output::default(), CancellationToken::new(), tempfile::tempdir().unwrap());
        let surroundings = Surroundings { data_dir: Some(data.path().to_owned()), ..Surroundings::default() };
        let (mut out, stopped) = (output.clone(), stop.clone().cancelled_owned());
        let task = actix_web::rt::spawn(async move {
            serve::<Toy>(&config, surroundings, &mut out, stopped).await.unwrap();
        });
        Self { output, stop, task, data }
    }

    pub(crate) fn data_dir(&self) -> &std::path::Path {
        self.data.path()
    }

    /// Waits for the ready line; returns clients of the public and the internal listener.
    pub(crate) async fn ready(&self) -> (TestClient, TestClient) {
        let line = wait_for("the ready line", || {
            assert!(!self.task.is_finished(), "it ended before it was ready");
            let text = self.output.text();
            async move { text.strip_suffix('\n').map(str::to_owned) }
        })
        .await;
        let (http, internal) =
            line.strip_prefix("ready http=").and_then(|rest| rest.split_once(" internal=")).unwrap();
        (TestClient::new(http), TestClient::new(internal).with_token(TOKEN))
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        (&mut self.task).await.unwrap();
    }
}
