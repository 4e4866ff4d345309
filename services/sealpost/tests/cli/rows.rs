//! `sms send --csv`: checks before anything is sent, sends, tells what became of each.

mod interrupted;

use std::collections::BTreeMap;

use smpp::codec::MessageState;
use smpp::smsc::{Behaviour, FinalState, Receipts};

use crate::clinic::{Clinic, Way};
use crate::program::Place;
use crate::sending;

/// A file of so many rows, and the template for it.
pub(crate) fn write_rows(place: &Place, count: usize) {
    let row = |index| format!("p{index},+2557{index:08}\n");
    let rows: String = (0..count).map(row).collect();
    place.write("people.csv", &format!("name,number\n{rows}"));
    place.write("template", "Hello {name}, à demain\n");
}

/// The command for that file.
pub(crate) fn send(clinic: &Clinic, key: &str) -> String {
    let way = clinic.way();
    format!(
        "sms send --csv people.csv --template-file template --client demo --sender CLINIC --key {key} {way}"
    )
}

/// The rows of a result file by their line: all fields, without quotes.
pub(crate) fn results(place: &Place, file: &str) -> BTreeMap<u64, Vec<String>> {
    let text = std::fs::read_to_string(place.path(file)).expect("a result file");
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("line,number,correl-id,status,recall-id,error,accepted-at,status-at"),
        "{text}"
    );
    let row = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    lines.map(row).map(|row| (row[0].parse().expect("a line number"), row)).collect()
}

/// A command that sends nothing; its own client, no gateway.
fn dry(place: &Place, options: &str, template: &str) -> crate::program::Ended {
    let arguments = format!("sms send -n --csv people.csv --client acme --key acme.pub {options} --template");
    place.sealpost_with(&arguments, &[template], "")
}

#[test]
fn a_dry_run_tells_how_much_it_is_and_shows_the_longest_texts() {
    let place = sending::place();
    place.write(
        "people.csv",
        "phone;name\n+255 700 000 001;Amina\n+255700000002;Жан\n+255-700-000003;\"Bo; \"\"B\"\"\"\n",
    );

    let template = format!("{{name}}{}", "x".repeat(155));
    let printed = dry(&place, "--number-column phone --delimiter ; --price 0.025", &template).ok();

    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0], "3 messages, 6 parts (2 gsm7, 1 ucs2), cost 0.15");
    assert!(lines[1].starts_with("line 3: 3 parts, ucs2, 158 characters: Жанxx"), "{printed}");
    assert!(lines[2].starts_with("line 4: 2 parts, gsm7, 162 characters: Bo; \"B\"xx"), "{printed}");
    assert_eq!(std::fs::read_dir(place.path("")).expect("the folder").count(), 3, "no file was made");
}

#[test]
fn every_fault_of_a_file_is_told_with_its_line_and_nothing_is_sent() {
    let place = sending::place();
    place.write(
        "people.csv",
        "number,name\n0700000001,a\n+255700000002,\n+255700000003,c\n,d\n+255700000003,e\n",
    );

    let faulty = dry(&place, "", "Hello {name}");
    let unknown = dry(&place, "", "Hello {nom}");
    let column = dry(&place, "--number-column phone", "Hello {name}");

    assert_eq!(faulty.code, Some(1));
    let told: Vec<&str> = faulty.stderr.lines().collect();
    assert!(told[0].starts_with("people.csv:2: not a full international number"), "{faulty:?}");
    assert_eq!(told[1], "people.csv:3: name is empty");
    assert!(told[2].starts_with("people.csv:5: "), "{faulty:?}");
    assert_eq!(told[3], "error: people.csv: 3 faults; nothing was sent");
    assert_eq!(unknown.refusal(), "the template has {nom}, and the file no such column; it has number, name");
    assert_eq!(column.refusal(), "--number-column: no one column is named \"phone\"");
}

#[test]
fn numbers_that_are_there_twice_are_told_and_left_out_on_request() {
    let place = sending::place();
    place.write("people.csv", "number\n+255700000001\n+255700000002\n+255 700 000 001\n");

    let told = dry(&place, "", "Hello");
    let left_out = dry(&place, "--skip-duplicates", "Hello");

    assert!(told.stderr.starts_with("people.csv:4: has the number of line 2: sent to again"), "{told:?}");
    assert!(told.ok().starts_with("3 messages"));
    assert!(left_out.stderr.ends_with("left out\n"), "{left_out:?}");
    assert!(left_out.ok().starts_with("2 messages"));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_rows_are_sent_in_either_version_over_either_way_and_their_fate_is_written_down() {
    for (way, key) in [(Way::Http, "x25519.pub"), (Way::Kafka, "rsa.pub"), (Way::Kafka, "x25519.pub")] {
        let clinic = Clinic::start(way).await;
        write_rows(&clinic.place, 30);

        let ended = clinic.place.sealpost(&format!("{} --for 1h", send(&clinic, key)));

        assert!(ended.stderr.contains("30 sent: 30 DELIVERED; people.csv.1.result.csv"), "{ended:?}");
        assert_eq!(ended.ok(), "");
        let mut arrived = clinic.arrived();
        arrived.sort();
        let row = |index| (format!("+2557{index:08}"), format!("Hello p{index}, à demain"));
        let mut expected: Vec<_> = (0..30).map(row).collect();
        expected.sort();
        assert_eq!(arrived, expected, "{way:?}");
        let results = results(&clinic.place, "people.csv.1.result.csv");
        assert_eq!(results.len(), 30);
        for (line, row) in &results {
            assert_eq!(
                (row[1].as_str(), row[3].as_str()),
                (&*format!("+255*****{:02}", line - 2), "DELIVERED")
            );
            assert!(row[2].ends_with(&format!("-{line}")) && row[4].starts_with("op-"), "{row:?}");
            assert!(row[6].ends_with('Z') && row[7].ends_with('Z'), "{row:?}");
        }
        let journal = clinic.place.path("people.csv.1.result.csv.journal");
        let journal = std::fs::read_to_string(journal).expect("the journal");
        assert!(!journal.contains("+255") && !journal.contains("Hello"), "{journal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_over_sends_nothing_more_and_goes_with_one_file_and_text() {
    let clinic = Clinic::start(Way::Http).await;
    write_rows(&clinic.place, 3);
    let send = send(&clinic, "rsa.pub");
    clinic.place.sealpost(&send).ok();

    let again = clinic.place.sealpost(&send);
    clinic.place.write("template", "Another text");
    let other_text = clinic.place.sealpost(&send).refusal_line();
    let other_run = clinic.place.sealpost(&format!("{send} --run second --no-wait --full-numbers"));

    assert!(again.stderr.contains("going on: 3 were sent before, 0 perhaps"), "{again:?}");
    assert!(again.stderr.contains("3 sent: 3 DELIVERED"), "{again:?}");
    assert!(other_text.contains("belongs to a run with another file or other options"), "{other_text}");
    assert!(other_run.stderr.contains("3 accepted; people.csv.second.result.csv"), "{other_run:?}");
    clinic.wait_arrived(6).await;
    let results = results(&clinic.place, "people.csv.second.result.csv");
    assert_eq!((results[&2][1].as_str(), results[&2][3].as_str()), ("+255700000000", "accepted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_delivered_fails_the_command_and_has_its_reason_in_the_result() {
    let failing = FinalState { state: MessageState::Undeliverable, err: 1 };
    let receipts = Receipts { outcomes: vec![(1, failing)], ..Receipts::default() };
    let clinic =
        Clinic::beside(Way::Http, Behaviour { receipts: Some(receipts), ..Behaviour::default() }).await;
    write_rows(&clinic.place, 2);

    let ended = clinic.place.sealpost(&send(&clinic, "rsa.pub"));

    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("2 sent: 0 DELIVERED, 2 FAILED"), "{ended:?}");
    assert!(ended.stderr.contains("2 of 2 were not delivered"), "{ended:?}");
    let results = results(&clinic.place, "people.csv.1.result.csv");
    assert!(
        results.values().all(|row| row[3] == "FAILED" && row[5].contains("undeliverable")),
        "{results:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_never_comes_ends_the_wait_in_time() {
    let clinic = Clinic::beside(Way::Http, Behaviour::default()).await;
    write_rows(&clinic.place, 2);

    // Time enough for SENT, which is the last that comes.
    let ended = clinic.place.sealpost(&format!("{} --wait 8s", send(&clinic, "rsa.pub")));

    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("no news for 8s, and 2 without a last status"), "{ended:?}");
    let results = results(&clinic.place, "people.csv.1.result.csv");
    assert!(results.values().all(|row| row[3] == "SENT"), "{results:?}");
}
