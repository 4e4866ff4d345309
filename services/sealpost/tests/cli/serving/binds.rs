//! The SMS gateway's operators at the terminal.

use std::time::Duration;

use testkit::wait::wait_until;

use crate::clinic::{Clinic, Way};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_pauses_a_bind_looks_a_message_up_and_reads_the_log() {
    let clinic = Clinic::start(Way::Http).await;
    let run = |command: &str| clinic.admin(command);
    wait_until("the bind", async || run("binds").ok().contains("\tbound\t")).await;
    let send = format!(
        "sms send hello --client demo --key rsa.pub --to +255712345678 --sender CLINIC --correl-id one {}",
        clinic.way()
    );

    let paused = run("pause op").ok();
    clinic.place.sealpost(&send).ok();
    // A round of the dispatcher takes far less.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = clinic.arrived().len();
    let resumed = run("resume op").ok();
    clinic.wait_arrived(1).await;
    let found = run("find demo one").ok();

    assert!(paused.starts_with("op\tpaused\tbound\twindow 0 of 10"), "{paused}");
    assert!(resumed.starts_with("op\topen\t"), "{resumed}");
    assert_eq!(before, 0);
    assert!(found.contains("\"correlId\": \"one\"") && !found.contains("hello"), "{found}");
    assert_eq!(run("unknown").ok(), "");
    assert_eq!(run("reload").ok(), "vault\tok\n");
    assert!(run("drain op").ok().starts_with("op\tdrained\t"));
    wait_until("the bind to end", async || run("binds").ok().starts_with("op\tdrained\tunbound\t")).await;
    run("resume op").ok();
    let added = run("opt-outs add demo +255712345678").ok();
    let found = run("opt-outs find demo +255712345678").ok();
    assert!(
        added.starts_with("demo\t+255*****78\tout since 20") && added.ends_with("Z\tchanged\n"),
        "{added}"
    );
    assert_eq!(format!("{}\tchanged\n", found.trim_end()), added);
    assert_eq!(run("opt-outs count demo").ok(), "1\n");
    assert_eq!(run("opt-outs remove demo +255712345678").ok(), "demo\t+255*****78\tin\tchanged\n");
    let stranger = run("opt-outs count nobody").refusal();
    assert_eq!(stranger, "the server answered 404: no client of that name is allowed to send");
    let log = run("audit").ok();
    let actions: Vec<&str> = log.lines().map(|line| line.split('\t').nth(3).unwrap()).collect();
    assert_eq!(
        actions,
        [
            "reload",
            "bind.pause",
            "bind.resume",
            "attempts.find",
            "unknown.list",
            "reload",
            "bind.drain",
            "bind.resume",
            "opt-outs.add",
            "opt-outs.find",
            "opt-outs.count",
            "opt-outs.remove",
        ]
    );
    assert!(log.contains("client=demo number=+255*****78") && !log.contains("12345678"), "{log}");
    let report = run("report --client demo --csv").ok();
    let (head, line) = report.trim_end().split_once('\n').unwrap();
    assert!(head.starts_with("client,day,smsc,requests,segments,sent,"), "{head}");
    assert!(line.starts_with("demo,20") && line.contains(",,1,1,1,"), "{line}");
    assert!(run("report").ok().starts_with("client  day         requests  segments  sent"));
    assert_eq!(run("quota").ok(), "");
    run("report --from 2020-01-01").refusal();
    let unknown = run("pause other").refusal();
    assert_eq!(unknown, "the server answered 404: there are: op");
}
