//! What ends a run early: kill -9, Ctrl-C, a gateway that dies. The same command goes on, and nobody gets two.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};

use testkit::wait::wait_for;

use super::{results, send, write_rows};
use crate::clinic::{Clinic, Way};

const ROWS: usize = 240;
const RESULT: &str = "people.csv.1.result.csv";

/// How often each number was sent to.
fn times(clinic: &Clinic) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for (number, _) in clinic.arrived() {
        *times.entry(number).or_default() += 1;
    }
    times
}

/// Kills runs at random points, then lets one go on to the end.
async fn killed(way: Way, key: &str) {
    let clinic = Clinic::start(way).await;
    write_rows(&clinic.place, ROWS);
    let send = send(&clinic, key);

    let mut points = Vec::new();
    for _ in 0..5 {
        let before = clinic.smsc.counts().borrow().accepted as usize;
        let point = before + RandomState::new().hash_one(0) as usize % (ROWS / 10);
        points.push(point);
        // So slowly that what goes out between a point and its kill leaves something to send, however long that takes.
        let mut running = clinic.place.start(&format!("{send} --rate 20"));
        // The first may be killed before anything is sent.
        clinic.wait_arrived(point).await;
        running.kill();
    }
    assert!(times(&clinic).len() < ROWS, "never interrupted, killed at {points:?}");
    let ended = clinic.place.sealpost(&send);

    assert!(ended.stderr.contains("going on: "), "{ended:?}");
    assert!(ended.stderr.contains(&format!("{ROWS} sent: {ROWS} DELIVERED")), "{ended:?}");
    ended.ok();
    let times = times(&clinic);
    assert_eq!(times.len(), ROWS, "killed at {points:?}");
    assert!(times.values().all(|times| *times == 1), "killed at {points:?}: {times:?}");
    let results = results(&clinic.place, RESULT);
    assert!(results.len() == ROWS && results.values().all(|row| row[3] == "DELIVERED"), "{results:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_points_over_http_each_number_is_sent_to_once() {
    killed(Way::Http, "x25519.pub").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_points_over_kafka_each_number_is_sent_to_once() {
    killed(Way::Kafka, "rsa.pub").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_journal_the_same_command_sends_nothing_a_second_time() {
    let clinic = Clinic::start(Way::Http).await;
    write_rows(&clinic.place, 20);
    let send = send(&clinic, "rsa.pub");
    clinic.place.sealpost(&send).ok();
    std::fs::remove_file(clinic.place.path(&format!("{RESULT}.journal"))).expect("the journal");

    clinic.place.sealpost(&format!("{send} --no-wait")).ok();
    let marker =
        format!("sms send --client demo --key rsa.pub --sender CLINIC --to +255711111111 {}", clinic.way());
    clinic.place.sealpost_with(&marker, &["last"], "").ok();
    clinic.wait_arrived(21).await;

    let times = times(&clinic);
    assert_eq!(times.len(), 21);
    assert!(times.values().all(|times| *times == 1), "{times:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_stops_in_order_and_says_how_to_go_on() {
    let clinic = Clinic::start(Way::Http).await;
    write_rows(&clinic.place, 120);
    let send = send(&clinic, "rsa.pub");

    let mut running = clinic.place.start(&format!("{send} --rate 8"));
    clinic.wait_arrived(3).await;
    running.signal("INT");
    let ended = running.end().await;

    assert_eq!(ended.code(), Some(1));
    let said = running.stderr();
    assert!(said.contains("give the same command again to go on"), "{said}");
    let results = results(&clinic.place, RESULT);
    let of = |word| results.values().filter(|row| row[3] == word).count();
    assert_eq!(of("in doubt"), 0, "what was under way was answered");
    assert!((1..=117).contains(&of("not sent")), "{}", of("not sent"));
    let rest = clinic.place.sealpost(&send);
    assert!(rest.stderr.contains("120 sent: 120 DELIVERED"), "{rest:?}");
    assert!(times(&clinic).values().all(|times| *times == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_run_is_under_way_a_second_one_is_refused() {
    let clinic = Clinic::start(Way::Http).await;
    write_rows(&clinic.place, 60);
    let send = send(&clinic, "rsa.pub");
    let _running = clinic.place.start(&format!("{send} --rate 5"));
    let journal = clinic.place.path(&format!("{RESULT}.journal"));
    wait_for("the journal", || {
        let begun = std::fs::read_to_string(&journal).is_ok_and(|text| text.contains("begun"));
        async move { begun.then_some(()) }
    })
    .await;

    let second = clinic.place.sealpost(&send);

    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("the same run is under way already"), "{second:?}");
}
