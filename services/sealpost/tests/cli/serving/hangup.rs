//! A terminal that is gone: the server drains, unless it was started to outlive it.

use std::io::{BufRead as _, BufReader, Read as _, pipe};
use std::process::{Child, Command, ExitStatus, Stdio};

use testkit::process::mortal;

use crate::program::{Place, SEALPOST};

/// Starts one by another program, with its log in a pipe, and waits until it is ready.
fn start(place: &Place, by: &[&str]) -> (Child, impl std::io::Read + use<>) {
    let (log, writer) = pipe().expect("a pipe");
    let (program, options) = by.split_first().expect("a program");
    let mut command = mortal(program);
    command.args(options).arg(SEALPOST).current_dir(place.path("."));
    command.args(["serve", "--data-dir", "data", "--listen", "127.0.0.1:0", "--internal", "127.0.0.1:0"]);
    let mut server = command.stdout(Stdio::piped()).stderr(writer).spawn().expect("the server");
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("its stdout")).read_line(&mut line).expect("a line");
    assert!(line.starts_with("ready "), "{line}");
    (server, log)
}

fn signal(server: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &server.id().to_string()]).status();
    assert!(sent.expect("kill").success());
}

fn end(mut server: Child) -> ExitStatus {
    server.wait().expect("its end")
}

#[test]
fn it_drains_though_nobody_reads_its_log() {
    let place = Place::new();
    let (server, log) = start(&place, &["env", "--default-signal=HUP"]);

    drop(log);
    signal(&server, "HUP");

    let status = end(server);
    assert!(status.success(), "{status}");
}

#[test]
fn started_by_nohup_it_goes_on() {
    let place = Place::new();
    let (server, mut log) = start(&place, &["nohup"]);

    signal(&server, "HUP");
    signal(&server, "TERM");

    let mut said = String::new();
    log.read_to_string(&mut said).expect("its log");
    assert!(end(server).success());
    assert!(said.contains("SIGTERM") && !said.contains("SIGHUP"), "{said}");
}
