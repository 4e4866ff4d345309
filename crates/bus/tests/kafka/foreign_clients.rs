//! Records to and from `kcat`, an independent client.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use bus::Record;
use testkit::kafka::{bootstrap, unique};

use crate::{next_records, open};

/// Runs kcat with `input`; gives what it prints.
fn kcat(arguments: &[&[u8]], input: &[u8]) -> String {
    use std::os::unix::ffi::OsStrExt;
    let arguments = arguments.iter().map(|argument| std::ffi::OsStr::from_bytes(argument));
    let mut command = Command::new("kcat");
    command.arg("-q").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("kcat is installed");
    child.stdin.take().expect("its input").write_all(input).expect("kcat reads");
    let output = child.wait_with_output().expect("kcat ends");
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn kcat_reads_keys_headers_and_tombstones_that_we_produced() {
    let (brokers, topic) = (bootstrap().await, unique("ours"));
    let first = Record::new(&topic, "k1", "v1").header("schema", "x.1").header("schema", "x.2");
    let second = Record { value: None, ..Record::new(&topic, "k1", "") };

    open(brokers).producer().send(vec![first, second]).await.unwrap();

    let format = b"%k|%s|%S|%h\n";
    let read = kcat(&[b"-C", b"-e", b"-b", brokers.as_bytes(), b"-t", topic.as_bytes(), b"-f", format], b"");
    assert_eq!(read, "k1|v1|2|schema=x.1,schema=x.2\nk1||-1|\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_read_however_they_were_compressed() {
    let (brokers, topic) = (bootstrap().await, unique("theirs"));
    let mut consumer = open(brokers).consumer(&unique("g"), &[&topic]).unwrap();
    let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    // Long enough to be worth it, so that none is left as it is.
    let texts = codecs.map(|codec| codec.repeat(1000));

    for (codec, text) in codecs.iter().zip(&texts) {
        let produce: [&[u8]; 9] =
            [b"-P", b"-b", brokers.as_bytes(), b"-t", topic.as_bytes(), b"-p", b"0", b"-z", codec.as_bytes()];
        kcat(&produce, text.as_bytes());
    }

    let mut records = Vec::new();
    while records.len() < codecs.len() {
        records.extend(next_records(&mut consumer).await);
    }
    let read: Vec<&[u8]> = records.iter().map(|record| record.bytes()).collect();
    assert_eq!(read, texts.each_ref().map(String::as_bytes));
}

#[tokio::test(flavor = "multi_thread")]
async fn header_with_a_name_that_is_not_text_does_not_stop_its_partition() {
    let (brokers, topic) = (bootstrap().await, unique("theirs"));
    let mut consumer = open(brokers).consumer(&unique("g"), &[&topic]).unwrap();
    let produce: [&[u8]; 7] = [b"-P", b"-b", brokers.as_bytes(), b"-t", topic.as_bytes(), b"-p", b"0"];

    kcat(&[&produce[..], &[b"-H", b"\xff\xfe=x", b"-H", b"good=y"]].concat(), b"poisoned");
    kcat(&produce, b"next");

    let mut records = Vec::new();
    while records.len() < 2 {
        records.extend(next_records(&mut consumer).await);
    }
    assert_eq!(records[0].bytes(), b"poisoned");
    assert_eq!(records[0].headers.get_str("good"), Some("y"));
    assert_eq!(records[0].headers.len(), 1);
    assert_eq!(records[1].bytes(), b"next");
}
