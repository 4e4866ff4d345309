//! What the suite needs of a bus under test, and how it reads from one.

use std::{future::Future, time::Duration};

use bus::{Bus, BusError, Consumer, Delivered, Event, Record, TopicPartition};

/// How long anything may take before a test fails. A group may wait for the session of a member that was killed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A bus under test. Each test has one of its own, or at least topics and groups of its own.
pub(crate) trait Rig {
    /// Gives a handle on the bus. Its drain deadline is [`Rig::drain_deadline`], its limit 1 MiB a record.
    fn bus(&self) -> Bus;

    /// Makes a name unlike all others, for a topic or a group.
    fn name(&self, what: &str) -> String {
        format!("{what}-{}", uuid::Uuid::now_v7())
    }

    /// Makes a topic of four partitions that exists when this returns.
    async fn topic(&self) -> String;

    /// Stops whatever holds the log as a crash would, and opens it again: nothing acknowledged may be lost.
    /// Handles from before are dropped by the caller first.
    async fn restart(&mut self);

    /// When a revoked partition is given away undrained.
    fn drain_deadline(&self) -> Duration;
}

/// Waits, but not for ever.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.unwrap_or_else(|_| panic!("did not happen in time: {what}"))
}

/// Asks until there is an answer: a single question is given up sooner than a busy broker may answer it.
pub(crate) async fn asked<T, F>(what: &str, question: impl Fn() -> F) -> T
where
    F: Future<Output = Result<T, BusError>>,
{
    soon(what, async {
        loop {
            match question().await {
                Err(error) if error.is_transient() => tokio::time::sleep(Duration::from_millis(10)).await,
                answer => return answer.expect("an answer"),
            }
        }
    })
    .await
}

/// Makes a record with key and value.
pub(crate) fn record(topic: &str, key: &str, value: &str) -> Record {
    Record::new(topic, key.as_bytes(), value.as_bytes())
}

/// The value as text.
pub(crate) fn text(record: &Delivered) -> String {
    String::from_utf8(record.bytes().to_vec()).expect("the tests write text")
}

/// The values as text.
pub(crate) fn texts(records: &[Delivered]) -> Vec<String> {
    records.iter().map(text).collect()
}

/// A consumer that notes what it is told.
pub(crate) struct Reader {
    pub(crate) consumer: Box<dyn Consumer>,
    pub(crate) owned: Vec<TopicPartition>,
}

impl Reader {
    pub(crate) fn new(bus: &Bus, group: &str, topic: &str) -> Self {
        let consumer = bus.consumer(group, &[topic]).expect("a consumer");
        Self { consumer, owned: Vec::new() }
    }

    /// Takes one event, noting assignments.
    pub(crate) async fn event(&mut self) -> Event {
        let event = loop {
            match soon("an event", self.consumer.next(100)).await {
                Err(error) if error.is_transient() => tokio::task::yield_now().await,
                other => break other.expect("an event"),
            }
        };
        match &event {
            Event::Assigned(new) => self.owned.extend(new.iter().cloned()),
            Event::Revoked(gone) => self.owned.retain(|at| !gone.contains(at)),
            Event::Records(_) => {}
        }
        event
    }

    /// Reads until `count` records have come.
    pub(crate) async fn read(&mut self, count: usize) -> Vec<Delivered> {
        let mut records = Vec::new();
        while records.len() < count {
            if let Event::Records(more) = self.event().await {
                records.extend(more);
            }
        }
        assert_eq!(records.len(), count, "more records than were written");
        records
    }

    /// Reads on until it owns `count` partitions; records meanwhile are returned.
    pub(crate) async fn own(&mut self, count: usize) -> Vec<Delivered> {
        let mut records = Vec::new();
        while self.owned.len() != count {
            if let Event::Records(more) = self.event().await {
                records.extend(more);
            }
        }
        records
    }

    /// Stores and commits.
    pub(crate) async fn commit(&mut self, records: &[Delivered]) {
        let positions: Vec<_> = records.iter().map(|record| record.position.clone()).collect();
        self.consumer.store(&positions);
        soon("a commit", self.consumer.commit()).await.expect("a commit");
    }
}

/// Makes a test of each function of the suite, given an async expression that starts a [`Rig`].
macro_rules! conformance {
    ($rig:expr) => {
        conformance!(@tests $rig;
            keys_values_and_headers_come_back_byte_for_byte
            records_of_a_key_keep_their_order
            concurrent_producers_lose_nothing
            a_record_too_large_is_refused
            new_group_begins_at_the_oldest_record
            groups_are_independent
            committed_offsets_survive_a_restart
            uncommitted_records_are_delivered_again
            waiting_consumer_is_woken_by_a_record
            two_members_share_the_partitions
            partitions_of_a_dropped_member_are_taken_over
            revoked_partition_is_drained_before_it_is_assigned
            silent_member_loses_its_partition_at_the_drain_deadline
            closing_commits_what_is_stored
            paused_partition_waits_and_others_go_on
            lag_counts_what_is_not_committed
            recent_records_are_told_byte_for_byte_and_as_often_as_they_are_there
            recent_records_of_a_topic_that_does_not_exist_are_none
            retry_holds_its_partition_back_and_no_other
            dead_record_goes_to_the_dead_letters_with_its_bytes
            dead_record_of_the_largest_size_blocks_nothing
            panic_is_a_retry_and_ends_with_the_dead_letters
            cancel_finishes_the_batch_in_flight_and_commits_it
            rebalance_waits_for_the_batch_in_flight
            lag_metric_grows_while_records_wait_and_falls_back_to_zero
        );
    };
    (@tests $rig:expr; $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::suite::$name($rig.await).await;
            }
        )*
    };
}
