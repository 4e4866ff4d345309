//! `docs/tutorial.md`, as somebody does it who follows it: each block of shell in its order, and what comes out of it.

use std::process::{Command, Stdio};
use std::time::Duration;

use testkit::database::TestDb;
use testkit::process::ports;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::program::{Ended, Place, SEALPOST};

const TUTORIAL: &str = include_str!("../../../../docs/tutorial.md");
/// What stands between the outputs of two blocks.
const MARK: &str = "=== the next block ===";
/// Addresses of the text, each of which is another one here, and what tells the programs so where they take the default.
const ADDRESSES: [(&str, &[&str]); 3] = [
    ("127.0.0.1:8080", &["SEALPOST__HTTP__LISTEN="]),
    ("127.0.0.1:9090", &["SEALPOST__INTERNAL__LISTEN=", "SEALPOST_ADMIN_SERVER=http://"]),
    ("127.0.0.1:2775", &[]),
];

/// A block of shell, and the lines that its output has to have, in their order; `…` stands for anything.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    shell: String,
    expected: Vec<String>,
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let block = |lines: &mut std::str::Lines<'_>| -> Vec<String> {
            lines.by_ref().take_while(|line| *line != "```").map(str::to_owned).collect()
        };
        match line {
            "```sh" => steps.push(Step { shell: block(&mut lines).join("\n"), expected: Vec::new() }),
            "```text" => steps.last_mut().expect("a block of shell before it").expected = block(&mut lines),
            _ => {}
        }
    }
    steps
}

/// Tells whether a line is as expected.
fn fits(line: &str, expected: &str) -> bool {
    let mut parts = expected.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Gives the first expected line that does not come, in its turn.
fn missing<'a>(output: &str, expected: &'a [String]) -> Option<&'a String> {
    let mut lines = output.lines();
    expected.iter().find(|expected| !lines.any(|line| fits(line, expected)))
}

/// Runs all blocks in one shell, as a person would, and stops what they left running.
fn run(place: &Place, script: &str) -> Ended {
    let programs = std::path::Path::new(SEALPOST).parent().expect("a folder");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").expect("PATH"));
    let script = format!("trap 'kill $(jobs -p) 2>/dev/null' EXIT\nset -eu -o pipefail\nexec 2>&1\n{script}");
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).current_dir(place.path("")).env("PATH", path).stdin(Stdio::null());
    bash.output().expect("bash").into()
}

#[tokio::test]
async fn the_tutorial_can_be_followed() {
    let (place, db) = (Place::new(), TestDb::postgres().await);
    let mut text = TUTORIAL.to_owned();
    let mut variables = format!("POSTGRES='{}'\n", &*db.settings().url);
    for (address, told_by) in ADDRESSES {
        let (host, port) = address.split_once(':').expect("a port");
        let free = ports::free().to_string();
        text = text.replace(address, &format!("{host}:{free}"));
        for form in ["--port ", "port = "] {
            text = text.replace(&format!("{form}{port}"), &format!("{form}{free}"));
        }
        variables.extend(told_by.iter().map(|variable| format!("export {variable}{host}:{free}\n")));
    }
    let steps = steps(&text);
    let blocks = steps.iter().map(|step| format!("{}\necho '{MARK}'\n", step.shell));
    let script: String = std::iter::once(variables).chain(blocks).collect();

    let running = spawn_blocking(move || run(&place, &script));
    let ended = timeout(Duration::from_secs(180), running).await.expect("an end within minutes").unwrap();

    let outputs: Vec<&str> = ended.stdout.split(MARK).collect();
    for (at, (step, output)) in steps.iter().zip(&outputs).enumerate() {
        // A server that answers may say so only when the shell is at the next block.
        let late = outputs.get(at + 1).into_iter().flat_map(|next| next.lines());
        let late = late.filter(|line| line.starts_with("ready ")).collect::<Vec<_>>().join("\n");
        let missing = missing(&format!("{output}\n{late}"), &step.expected);
        assert_eq!(missing, None, "after\n{}\ncame\n{output}", step.shell);
    }
    assert_eq!((outputs.len(), ended.code), (steps.len() + 1, Some(0)), "{ended:#?}");
}

#[test]
fn a_block_and_what_comes_out_of_it_belong_together() {
    let text =
        "a\n```sh\none\ntwo\n```\nb\n```console\n$ not this\n```\n```sh\nthree\n```\n```text\nsaid…\n```\n";
    let step = |shell: &str, expected: &[&str]| Step {
        shell: shell.to_owned(),
        expected: expected.iter().map(|line| (*line).to_owned()).collect(),
    };

    assert_eq!(steps(text), [step("one\ntwo", &[]), step("three", &["said…"])]);
}

#[test]
fn an_expected_line_that_does_not_come_in_its_turn_is_missed() {
    let expected = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();

    assert_eq!(missing("x\nready a=1 b=2\ndone\n", &expected(&["ready …b=…", "done"])), None);
    assert_eq!(missing("done\nready\n", &expected(&["ready", "done"])), Some(&"done".to_owned()));
    assert_eq!(missing("ready now\n", &expected(&["ready"])), Some(&"ready".to_owned()));
    assert_eq!(missing("ready now\n", &expected(&["…not…"])), Some(&"…not…".to_owned()));
}
