//! The receiver of `docs/examples`, in Python.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use reqwest::Method;
use serde_json::Value;
use testkit::http::TestClient;
use testkit::process::mortal;
use testkit::webhooks::{OTHER_SECRET, SECRET};

use super::{PRESENCE, come, hook, settings, start};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/webhook_receiver.py");

struct Example {
    process: Child,
    port: u16,
    events: BufReader<ChildStdout>,
}

impl Example {
    fn start() -> Self {
        let mut python: Command = mortal(Path::new("python3"));
        python.args([SCRIPT, "0"]).env("WEBHOOK_SECRETS", format!("{OTHER_SECRET} {SECRET}"));
        let mut process = python.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
        let events = BufReader::new(process.stdout.take().unwrap());
        Self { process, port, events }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn event(&mut self) -> Value {
        let mut line = String::new();
        self.events.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

testkit::on_both! {
    async fn the_example_in_python_prints_our_events(test: TestDb) {
        let mut example = Example::start();
        let hooks = [hook("python", &format!("{}/hook", example.url()), &[SECRET], &PRESENCE)];
        let app = start(&test, &settings(&hooks)).await;

        let _alice = come(&app, "a", "alice").await;

        let event = tokio::task::spawn_blocking(move || example.event()).await.unwrap();
        assert_eq!((&event["type"], &event["member"]), (&"presence.enter".into(), &"alice".into()));
        app.host.stop().await;
    }
}

#[tokio::test]
async fn the_example_in_python_takes_what_is_genuine_once_and_nothing_else() {
    let mut example = Example::start();
    let client = TestClient::new(example.url());
    let secret = [SECRET.parse().unwrap()];
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    let send = async |id: &str, at: i64, signed: &str, sent: &'static str| {
        let signature = webhook::signatures(&secret, id, at, signed.as_bytes());
        let request = client.request(Method::POST, "/hook").header("webhook-id", id);
        let request = request.header("webhook-timestamp", at).header("webhook-signature", signature);
        client.send(request.body(sent)).await.status.as_u16()
    };

    assert_eq!(send("one", now, "1", "1").await, 204);
    assert_eq!(send("one", now, "1", "1").await, 204);
    assert_eq!(send("two", now, "1", "2").await, 503, "another body");
    assert_eq!(send("three", now - 301, "3", "3").await, 503, "old");
    assert_eq!(send("four", now + 330, "4", "4").await, 503, "from the future");
    assert_eq!(client.send(client.request(Method::POST, "/hook").body("5")).await.status, 503);
    assert_eq!(send("six", now, "6", "6").await, 204);

    example.process.kill().unwrap();
    let mut printed = String::new();
    example.events.read_to_string(&mut printed).unwrap();
    assert_eq!(printed, "1\n6\n");
}
