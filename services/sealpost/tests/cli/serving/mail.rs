//! The mails of a standalone, which are files.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::json;
use testkit::wait::wait_for;

use super::Standalone;
use crate::program::Place;

const EMAIL: &str = "alice@example.org";

#[tokio::test]
async fn a_mail_that_was_promised_is_there_though_the_server_is_killed_at_once() {
    let place = Place::new();
    let mut killed = Standalone::start(&place, "").await;
    let account = json!({"username": "alice", "password": "correct horse battery", "email": EMAIL});

    killed.http.post("/v1/accounts", &account).await.assert_status(201);
    killed.program.kill();
    let server = Standalone::start(&place, "").await;
    let path = wait_for("a mail", || async { mail(&server) }).await;

    let text = std::fs::read_to_string(&path).expect("a mail");
    let token = text.lines().find(|line| line.len() == 80 && line.contains('.')).expect("a token");
    let verify = json!({"token": token});
    server.http.post("/v1/accounts/email/verify", &verify).await.assert_status(204);
    let login = json!({"username": EMAIL, "password": "correct horse battery"});
    server.http.post("/v1/sessions", &login).await.assert_status(201);
    assert_eq!(path.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
    let said = killed.program.stderr() + &server.program.stderr();
    let folder = server.data.join("mail").display().to_string();
    assert!(said.contains(&folder), "the log says where: {said}");
    assert!(!said.contains(token) && !said.contains(EMAIL), "and never what: {said}");
}

fn mail(server: &Standalone) -> Option<PathBuf> {
    let entries = std::fs::read_dir(server.data.join("mail")).ok()?;
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "eml"))
}
