//! `docs/examples`: the producers in Python and shell, as a newcomer runs them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::peers;

use crate::clinic::{Clinic, Way};
use crate::program::Ended;

const TO: &str = "+255712345678";
/// In the SMSC's default alphabet, and not in it.
const TEXTS: [&str; 2] = ["Müller: señal à 10 h, 5 €", "Rendez-vous à 10 h ✓ مرحبا 😀"];

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples").join(name)
}

/// An example with its arguments.
struct Example(Command);

impl Example {
    fn python(clinic: &Clinic, way: Way, key: &str) -> Self {
        let script = if way == Way::Http { "send_sms_http.py" } else { "send_sms_kafka.py" };
        let python = peers::fetch_python().expect("the Python packages").join("bin/python");
        let mut command = Command::new(python);
        command.arg(example(script)).args(["--client", "demo", "--sender", "CLINIC", "--key", key]);
        match way {
            Way::Http => {
                command.args(["--server", &clinic.server.url, "--api-key-file", &clinic.api_key_file()])
            }
            Way::Kafka => {
                let topics = clinic.kafka();
                command.args(["--brokers", topics.brokers, "--topic", &topics.requests]);
                command.args(["--status-topic", &topics.statuses])
            }
        };
        Self::of(command, clinic)
    }

    fn shell(clinic: &Clinic, way: Way, key: &str) -> Self {
        let mut command = Command::new("sh");
        command.arg(example("send-sms.sh"));
        command.envs([("CLIENT", "demo"), ("SENDER", "CLINIC"), ("PUBKEY", key)]);
        match way {
            Way::Http => command.env("SERVER", &clinic.server.url).env("API_KEY_FILE", clinic.api_key_file()),
            Way::Kafka => {
                let topics = clinic.kafka();
                command.env("BROKERS", topics.brokers).env("TOPIC", &topics.requests);
                command.env("STATUS_TOPIC", &topics.statuses)
            }
        };
        Self::of(command, clinic)
    }

    fn of(mut command: Command, clinic: &Clinic) -> Self {
        command.current_dir(clinic.place.path("")).env("PYTHONDONTWRITEBYTECODE", "1");
        Self(command)
    }

    /// Sends `text` to `to`.
    fn send(mut self, to: &str, text: &str) -> Ended {
        self.0.arg(to).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.0.spawn().expect("the example");
        // One that fails early does not read it.
        let _ = child.stdin.take().expect("its stdin").write_all(format!("{text}\n").as_bytes());
        child.wait_with_output().expect("its end").into()
    }
}

/// What an example printed: `accepted as ID`, then statuses of that ID.
fn states(printed: &str) -> Vec<String> {
    let mut lines = printed.lines();
    let id = lines.next().and_then(|line| line.strip_prefix("accepted as ")).expect("an id");
    let state = |line: &str| {
        let status: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(status["correl-id"], id);
        status["sms-status"].as_str().expect("a status").to_owned()
    };
    lines.map(state).collect()
}

/// Sends every text by every example that knows the key's version.
fn all(clinic: &Clinic, way: Way) {
    let mut expected = Vec::new();
    for text in TEXTS {
        let examples = [
            Example::python(clinic, way, "rsa.pub"),
            Example::python(clinic, way, "x25519.pub"),
            Example::shell(clinic, way, "rsa.pub"),
        ];
        for example in examples {
            let printed = example.send(TO, text).ok();
            assert_eq!(states(&printed), ["SENT", "DELIVERED"], "{printed}");
            expected.push((TO.to_owned(), text.to_owned()));
        }
    }
    assert_eq!(clinic.arrived(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_send_over_http_in_both_versions() {
    let clinic = Clinic::start(Way::Http).await;

    all(&clinic, Way::Http);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_send_over_kafka_in_both_versions() {
    let clinic = Clinic::start(Way::Kafka).await;

    all(&clinic, Way::Kafka);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_told_in_one_line() {
    let clinic = Clinic::start(Way::Http).await;
    clinic.place.write("no.pub", "rubbish");
    let foreign = clinic.server.data.join("public/sms-test.pub").display().to_string();

    for example in
        [Example::python(&clinic, Way::Http, &foreign), Example::shell(&clinic, Way::Http, &foreign)]
    {
        let ended = example.send(TO, "x");
        assert_eq!((ended.code, states(&ended.stdout)), (Some(1), vec!["INVALID".to_owned()]), "{ended:?}");
        assert!(ended.stdout.contains("another key"), "{ended:?}");
    }
    for example in
        [Example::python(&clinic, Way::Http, "no.pub"), Example::shell(&clinic, Way::Http, "no.pub")]
    {
        let ended = example.send(TO, "x");
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(
            ended.stderr.starts_with("no.pub is not a public") && ended.stderr.lines().count() == 1,
            "{ended:?}"
        );
    }
    assert_eq!(clinic.arrived(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_api_key_is_told_in_one_line() {
    let clinic = Clinic::start(Way::Http).await;
    clinic.place.write("wrong", "0123456789abcdef");

    let mut python = Example::python(&clinic, Way::Http, "rsa.pub");
    python.0.args(["--api-key-file", "wrong"]);
    let mut shell = Example::shell(&clinic, Way::Http, "rsa.pub");
    shell.0.env("API_KEY_FILE", "wrong");

    for example in [python, shell] {
        let ended = example.send(TO, "x");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
        assert!(ended.stderr.starts_with("the gateway answered 401: "), "{ended:?}");
        assert!(ended.stderr.contains("a valid API key is needed"), "{ended:?}");
    }
}
