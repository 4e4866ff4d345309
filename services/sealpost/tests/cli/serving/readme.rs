//! The first two minutes of a back-end team, as the README has them: its commands are run and its pages opened as they
//! stand there, but for addresses, folders and the token that is to be filled in.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::peer_client::PeerClient;
use testkit::peers::node;
use testkit::process::ports;
use tokio::time::sleep;

use super::Standalone;
use crate::program::Place;

const README: &str = include_str!("../../../../../README.md");

/// The blocks of a language in the part on notifications.
fn blocks(language: &str) -> Vec<&'static str> {
    let (_, part) = README.split_once("\nNotify clients.").expect("the part on notifications");
    let (part, _) = part.split_once("\nConfigure it").expect("its end");
    let fence = format!("```{language}\n");
    part.split(&fence).skip(1).map(|rest| rest.split("```").next().expect("a block")).collect()
}

/// Runs the commands; the token that they print.
fn run(place: &Place, url: &str) -> String {
    let [commands] = &*blocks("sh") else { panic!("one block of commands") };
    let commands = commands.replace("http://127.0.0.1:8080", url).replace("sealpost-data", "data");
    let said = place.script(&commands.replace("curl ", "curl -sS --fail "));
    let mut answers = serde_json::Deserializer::from_str(&said).into_iter::<Value>();
    let mut answer = || answers.next().expect("an answer").expect("JSON");
    let token = answer()["token"].as_str().expect("a token").to_owned();
    assert_eq!(answer(), json!({"success": true}));
    token
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_readme_says_to_backends_and_their_pages_works_as_pasted() {
    let (place, ports) = (Place::new(), [ports::free(), ports::free()]);
    let origins = ports.map(|port| format!("http://127.0.0.1:{port}"));
    place.write("sealpost.toml", &format!("[http]\ncors_origins = {origins:?}\n"));
    let server = Standalone::start(&place, "--config sealpost.toml").await;
    let token = run(&place, &server.url);
    let pages = blocks("html");
    assert_eq!(pages.len(), ports.len());

    for (html, port) in pages.into_iter().zip(ports) {
        let html =
            html.replace("http://127.0.0.1:8080", &server.url).replace("\"…\"", &format!("\"{token}\""));
        let task = json!({"html": html, "port": port, "api": server.url, "waitFor": "hello"});
        let mut page = PeerClient::start("a page of the README", node("snippet.mjs").expect("node"), &task)
            .expect("a browser");
        page.event("open").await;
        // The page may not have joined yet, and does not ask for what came before.
        while page.events("shown").is_empty() && page.events("failed").is_empty() {
            assert_eq!(run(&place, &server.url), token, "the same token each time");
            sleep(Duration::from_millis(200)).await;
        }

        page.event("done").await;
        assert!(page.event("shown").await["text"].as_str().is_some_and(|text| text.starts_with("hello\n")));
        assert_eq!(page.events("complaint"), [Value::Null; 0], "{}", page.said());
        assert_eq!(page.events("stranger"), [Value::Null; 0], "{}", page.said());
    }
    server.stop().await;
}
