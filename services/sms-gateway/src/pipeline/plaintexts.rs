//! Messages between intake and submission: in memory only, wiped when dropped, so that each is decrypted once.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::crypto::sms_payload::SmsPayload;
use common::models::sms::JobId;

/// How often it is looked for room, and how many times.
const LOOK_EVERY: Duration = Duration::from_millis(5);
const LOOKS: usize = 10;

/// A bounded store; the oldest message goes first. What is not in it is decrypted again.
pub(crate) struct Plaintexts {
    capacity: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    messages: HashMap<JobId, SmsPayload>,
    order: VecDeque<JobId>,
}

impl Plaintexts {
    /// Makes an empty one.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits a moment for room for so many. Where intake is faster than what follows it, for want of a processor alone,
    /// each message would be gone again when its turn comes, and the second decryption leave even less for the others.
    /// Where messages leave slowly it waits in vain, and not for long: they are to be durable, and in order of urgency.
    pub(crate) async fn make_room(&self, messages: usize) {
        let capacity = self.capacity.max(messages);
        for _ in 0..LOOKS {
            if self.kept().messages.len() + messages <= capacity {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Keeps the message of a job.
    pub(crate) fn put(&self, job: JobId, message: SmsPayload) {
        let mut kept = self.kept();
        kept.order.push_back(job.clone());
        kept.messages.insert(job, message);
        while kept.messages.len() > self.capacity || kept.order.len() > 2 * self.capacity {
            let Some(oldest) = kept.order.pop_front() else { break };
            kept.messages.remove(&oldest);
        }
    }

    /// Takes the message of a job out.
    pub(crate) fn take(&self, job: &JobId) -> Option<SmsPayload> {
        let mut kept = self.kept();
        let message = kept.messages.remove(job);
        // Most go in the order in which they came, and their names with them: thousands of them, scattered over memory,
        // would keep the pages of what lives for a moment.
        while kept.order.front().is_some_and(|oldest| !kept.messages.contains_key(oldest)) {
            kept.order.pop_front();
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> SmsPayload {
        SmsPayload::new("+255123456789", None, text).unwrap()
    }

    #[test]
    fn the_oldest_goes_when_it_is_full() {
        let kept = Plaintexts::new(2);

        for job in ["a", "b", "c"] {
            kept.put(job.into(), message(job));
        }

        assert!(kept.take(&"a".into()).is_none());
        assert_eq!(kept.take(&"c".into()).unwrap().text(), "c");
        assert!(kept.take(&"c".into()).is_none());
    }

    #[tokio::test]
    async fn room_is_waited_for_a_moment_and_no_longer() {
        let kept = Plaintexts::new(2);
        let at_once = async |messages| {
            tokio::select! {
                biased;
                () = kept.make_room(messages) => true,
                () = std::future::ready(()) => false,
            }
        };

        assert!(at_once(9).await, "there is never room for so many");
        kept.put("a".into(), message("x"));
        assert!(at_once(1).await);
        kept.put("b".into(), message("x"));
        assert!(!at_once(1).await);
        let start = std::time::Instant::now();
        kept.make_room(1).await;
        assert!(start.elapsed() >= LOOK_EVERY * 10);
        let leaving = async { kept.take(&"a".into()) };
        assert!(tokio::join!(kept.make_room(1), leaving).1.is_some());
        assert!(at_once(1).await);
    }

    #[test]
    fn what_was_taken_is_forgotten_with_its_place() {
        let kept = Plaintexts::new(2);
        let order = || kept.kept.lock().unwrap().order.len();

        for job in 0..100 {
            kept.put(job.to_string().into(), message("x"));
            assert!(kept.take(&job.to_string().into()).is_some());
            assert_eq!(order(), 0);
        }
        kept.put("first".into(), message("x"));
        for job in 0..100 {
            kept.put(job.to_string().into(), message("x"));
            assert!(kept.take(&job.to_string().into()).is_some());
            assert!(order() <= 4, "behind one that stays");
        }
    }
}
