//! The suite on the embedded log, and what holds for that one alone.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use bus::{Bus, BusError, BusSettings, RetentionSettings};

use crate::rig::{Reader, Rig, record, soon, text, texts};

struct EmbeddedRig {
    data_dir: tempfile::TempDir,
    settings: BusSettings,
    bus: Option<Bus>,
}

impl EmbeddedRig {
    async fn start() -> Self {
        Self::with(BusSettings::default())
    }

    fn with(settings: BusSettings) -> Self {
        let data_dir = tempfile::tempdir().expect("a directory");
        let bus = Some(Bus::open(&settings, Some(data_dir.path())).expect("opens"));
        Self { data_dir, settings, bus }
    }
}

impl Rig for EmbeddedRig {
    fn bus(&self) -> Bus {
        self.bus.clone().expect("open")
    }

    async fn topic(&self) -> String {
        // Topics are made on first use.
        self.name("topic")
    }

    async fn restart(&mut self) {
        self.bus = None;
        self.bus = Some(Bus::open(&self.settings, Some(self.data_dir.path())).expect("opens again"));
    }

    fn drain_deadline(&self) -> Duration {
        self.settings.drain_deadline()
    }
}

conformance!(EmbeddedRig::start());

#[tokio::test]
async fn second_owner_is_refused_until_the_first_is_gone() {
    let rig = EmbeddedRig::start().await;

    let second = Bus::open(&rig.settings, Some(rig.data_dir.path()));

    let Err(BusError::Locked { path }) = second else { panic!("two owners: {second:?}") };
    assert!(path.starts_with(rig.data_dir.path()));
    let EmbeddedRig { data_dir, settings, bus } = rig;
    drop(bus);
    Bus::open(&settings, Some(data_dir.path())).expect("free again");
}

#[tokio::test]
async fn bad_topic_name_is_refused() {
    let rig = EmbeddedRig::start().await;

    let sent = rig.bus().producer().send(vec![record("a topic", "k", "v")]).await;

    assert!(matches!(sent, Err(BusError::Settings(_))), "{sent:?}");
    assert!(matches!(rig.bus().consumer("group", &["a/b"]), Err(BusError::Settings(_))));
}

#[tokio::test]
async fn records_without_a_key_take_turns() {
    let rig = EmbeddedRig::start().await;
    let (bus, topic) = (rig.bus(), rig.topic().await);
    let keyless = |n: usize| bus::Record { key: None, ..record(&topic, "", &n.to_string()) };

    bus.producer().send((0..8).map(keyless).collect()).await.expect("durable");

    let ends: Vec<i64> = bus.lag("any", &topic).await.expect("lag").iter().map(|lag| lag.end).collect();
    assert_eq!(ends, [2, 2, 2, 2]);
}

/// Waits until the oldest kept record of the topic is the one at `start`.
async fn trimmed(bus: &Bus, topic: &str, kept: i64) {
    let wait = async {
        while bus.lag("nobody", topic).await.expect("lag").iter().map(|lag| lag.lag).sum::<i64>() != kept {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon("retention", wait).await;
}

#[tokio::test]
async fn retention_by_size_removes_the_oldest_records_in_batches() {
    let retention = RetentionSettings {
        max_partition_bytes: 100 * 100,
        check_interval: Duration::from_millis(20),
        ..RetentionSettings::default()
    };
    let rig = EmbeddedRig::with(BusSettings { retention, partitions: 1, ..BusSettings::default() });
    let (bus, topic) = (rig.bus(), rig.topic().await);
    // 1600 records of 100 bytes: more than two batches of removal.
    let batch = (0..1600).map(|n| record(&topic, "", &format!("{n:0100}"))).collect();

    bus.producer().send(batch).await.expect("durable");
    trimmed(&bus, &topic, 100).await;

    let mut reader = Reader::new(&bus, "late", &topic);
    let read = reader.read(100).await;
    assert_eq!(read[0].position.offset, 1500, "offsets are not given out anew");
    assert_eq!(text(&read[0]).trim_start_matches('0'), "1500");
}

#[tokio::test]
async fn retention_by_time_keeps_offsets_growing_across_an_empty_partition() {
    let retention = RetentionSettings {
        max_age: Duration::from_millis(50),
        check_interval: Duration::from_millis(10),
        ..RetentionSettings::default()
    };
    let mut rig = EmbeddedRig::with(BusSettings { retention, partitions: 1, ..BusSettings::default() });
    let topic = rig.topic().await;
    rig.bus()
        .producer()
        .send(vec![record(&topic, "k", "old"), record(&topic, "k", "old")])
        .await
        .expect("durable");
    trimmed(&rig.bus(), &topic, 0).await;

    rig.settings.retention = RetentionSettings::default();
    rig.restart().await;
    rig.bus().producer().send(vec![record(&topic, "k", "new")]).await.expect("durable");

    let read = Reader::new(&rig.bus(), "group", &topic).read(1).await;
    assert_eq!((texts(&read), read[0].position.offset), (vec!["new".to_owned()], 2));
}

const CHILD_DIR: &str = "BUS_CONFORMANCE_CHILD_DIR";

/// Not a test: the process that `acknowledged_records_and_committed_offsets_survive_kill` kills.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is run, and killed, by acknowledged_records_and_committed_offsets_survive_kill"]
async fn child_that_produces_until_it_is_killed() {
    let Some(data_dir) = std::env::var_os(CHILD_DIR) else { return };
    let bus = Bus::open(&BusSettings::default(), Some(Path::new(&data_dir))).expect("opens");
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..4 {
        let producer = bus.producer();
        tasks.spawn(async move {
            for n in 0.. {
                let value = format!("{}-{task}-{n}", std::process::id());
                producer.send(vec![record("killed", &format!("{task}"), &value)]).await.expect("durable");
                println!("\nack {value}");
            }
        });
    }
    tasks.spawn(async move {
        let mut reader = Reader::new(&bus, "child", "killed");
        loop {
            if let bus::Event::Records(records) = reader.event().await {
                reader.commit(&records).await;
                println!(
                    "\ncommitted {}",
                    bus.lag("child", "killed")
                        .await
                        .expect("lag")
                        .iter()
                        .filter_map(|lag| lag.committed)
                        .sum::<i64>()
                );
            }
        }
    });
    tasks.join_next().await;
}

#[tokio::test]
async fn acknowledged_records_and_committed_offsets_survive_kill() {
    let data_dir = tempfile::tempdir().expect("a directory");
    let (mut acknowledged, mut committed) = (Vec::new(), 0);
    for count in [1, 57, 400] {
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", "embedded::child_that_produces_until_it_is_killed", "--ignored", "--nocapture"])
            .env(CHILD_DIR, data_dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let mut lines = lines.filter(|line| line.starts_with("ack ") || line.starts_with("committed "));
        let mut said = Vec::new();
        while said.len() < count {
            said.push(lines.next().expect("the child produces"));
        }
        child.kill().expect("killed");
        child.wait().expect("reaped");
        // What it had said before it died counts as well; the last line may be cut.
        let mut rest: Vec<String> = lines.collect();
        rest.pop();
        for line in said.into_iter().chain(rest) {
            match line.split_once(' ') {
                Some(("ack", value)) => acknowledged.push(value.to_owned()),
                Some((_, sum)) => committed = committed.max(sum.parse().expect("a number")),
                None => {}
            }
        }
    }

    let bus = Bus::open(&BusSettings::default(), Some(data_dir.path())).expect("opens after the kill");
    let end: i64 = bus.lag("group", "killed").await.expect("lag").iter().map(|lag| lag.end).sum();
    let read = soon("reading", Reader::new(&bus, "group", "killed").read(end as usize)).await;

    let kept: i64 =
        bus.lag("child", "killed").await.expect("lag").iter().filter_map(|lag| lag.committed).sum();
    assert!(committed > 0 && kept >= committed, "committed {committed}, kept {kept}");
    let read: std::collections::HashSet<String> = texts(&read).into_iter().collect();
    let lost: Vec<&String> = acknowledged.iter().filter(|value| !read.contains(*value)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}
