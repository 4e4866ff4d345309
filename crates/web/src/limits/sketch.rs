//! The buckets of all keys of a rule, in memory of a fixed size.
//!
//! A table that forgets keys when it is full can be made to forget: whoever sends enough other keys gets the bucket of a
//! chosen one full again. Here nothing is forgotten. Keys are hashed into several rows of slots, as in a count-min
//! sketch with conservative update (Estan and Varghese 2002): a key's bucket is the fullest of its slots, one in each
//! row. Keys that meet in a slot make it emptier than either bucket, never fuller; a key is refused for the doings of
//! others only when its slots in all rows are taken by them.

use std::time::Duration;

use common::models::UnixMillis;

use super::bucket::Bucket;

const ROWS: usize = 4;

/// Slots in a row, as a power of two: four indices fit into one hash. With a thousand keys that have all spent their
/// buckets, a further key meets them in all rows once in 80,000 times; the table takes 512 KiB when it is used at all.
const ROW_BITS: u32 = 14;
const ROW: usize = 1 << ROW_BITS;

/// When each slot is full again; empty until the first key comes.
#[derive(Default)]
pub(super) struct Sketch(Vec<UnixMillis>);

impl Sketch {
    /// Takes a token from the bucket of a key, given by its hash.
    ///
    /// # Errors
    /// How long it takes until there is a token.
    pub(super) fn take(&mut self, bucket: Bucket, hash: u64, now: UnixMillis) -> Result<(), Duration> {
        if self.0.is_empty() {
            self.0 = vec![UnixMillis(0); ROWS * ROW];
        }
        let slots = slots(hash);
        let full_at = slots.iter().filter_map(|slot| self.0.get(*slot)).min().copied();
        let later = bucket.take(full_at.unwrap_or(now), now)?;
        for slot in slots {
            if let Some(full_at) = self.0.get_mut(slot) {
                *full_at = later.max(*full_at);
            }
        }
        Ok(())
    }
}

/// The slots of a key, one in each row.
fn slots(hash: u64) -> [usize; ROWS] {
    std::array::from_fn(|row| {
        let bits = hash >> (ROW_BITS as usize * row);
        row * ROW + usize::try_from(bits % ROW as u64).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const START: UnixMillis = UnixMillis(1_767_225_600_000);

    /// A token bucket as the book has it: so many tokens, and fractions that come back with time.
    struct Model {
        millitokens: u64,
        at: UnixMillis,
    }

    impl Model {
        fn take(&mut self, bucket: Bucket, now: UnixMillis) -> bool {
            let size = u64::from(bucket.size) * 1000;
            let passed = u64::try_from((now - self.at).as_millis()).unwrap();
            let refill = u64::try_from(bucket.refill.as_millis()).unwrap();
            self.millitokens = (self.millitokens + passed * 1000 / refill).min(size);
            self.at = now;
            let granted = self.millitokens >= 1000;
            if granted {
                self.millitokens -= 1000;
            }
            granted
        }
    }

    fn hashes() -> impl Strategy<Value = Vec<u64>> {
        // Two bits in each row: keys meet in one or two rows all the time, and some in all four.
        let row = 0..4_u64;
        let hash = [row.clone(), row.clone(), row.clone(), row];
        let hash = hash.prop_map(|rows| {
            rows.iter().enumerate().fold(0, |hash, (row, bits)| hash | bits << (ROW_BITS as usize * row))
        });
        prop::collection::vec(hash, 1..6)
    }

    proptest! {
        #[test]
        fn no_key_gets_more_than_its_bucket_and_a_lone_key_gets_all_of_it(
            size in 1..6_u32,
            seconds in 1..20_u64,
            hashes in hashes(),
            calls in prop::collection::vec((any::<prop::sample::Index>(), 0..15_000_u64), 1..200),
        ) {
            // Refills of whole seconds and steps of refill/1000 keep the model free of rounding.
            let bucket = Bucket { size, refill: Duration::from_secs(seconds) };
            let mut sketch = Sketch::default();
            let mut models: HashMap<u64, Model> = HashMap::new();
            let mut now = START;
            for (key, step) in calls {
                now = now + Duration::from_millis(step / seconds * seconds);
                let hash = hashes[key.index(hashes.len())];
                let full = Model { millitokens: u64::from(size) * 1000, at: now };
                let model = models.entry(hash).or_insert(full);
                let before = Model { millitokens: model.millitokens, at: model.at };

                let granted = sketch.take(bucket, hash, now);
                let deserved = model.take(bucket, now);

                prop_assert!(deserved || granted.is_err(), "more than the bucket has");
                if hashes.iter().all(|other| *other == hash) {
                    prop_assert_eq!(granted.is_ok(), deserved);
                }
                if granted.is_err() && deserved {
                    // Refused because of others: it costs this key no token.
                    *model = before;
                }
                if let Err(wait) = granted {
                    prop_assert!(!wait.is_zero() && wait <= bucket.refill);
                }
            }
        }
    }

    #[test]
    fn a_flood_of_other_keys_gives_nobody_a_fresh_bucket_and_takes_no_memory() {
        let bucket = Bucket { size: 2, refill: Duration::from_secs(3600) };
        let mut sketch = Sketch::default();
        let victim = 0x1234_5678_9abc_def0;
        sketch.take(bucket, victim, START).unwrap();
        sketch.take(bucket, victim, START).unwrap();

        let mut key: u64 = 1;
        for _ in 0..200_000 {
            key = key.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let _ = sketch.take(bucket, key, START);
        }

        assert!(sketch.take(bucket, victim, START).is_err());
        assert_eq!(sketch.0.len(), ROWS * ROW);
    }

    #[test]
    fn a_thousand_spent_buckets_leave_others_alone() {
        let bucket = Bucket { size: 1, refill: Duration::from_secs(3600) };
        let mut sketch = Sketch::default();
        let mut key: u64 = 7;
        let mut next = || {
            key = key.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            key.rotate_left(32)
        };
        for _ in 0..1000 {
            let _ = sketch.take(bucket, next(), START);
        }

        let refused = (0..1000).filter(|_| sketch.ask(bucket, next(), START).is_err()).count();

        assert!(refused <= 2, "{refused} of 1000");
    }

    impl Sketch {
        /// Asks without taking.
        fn ask(&self, bucket: Bucket, hash: u64, now: UnixMillis) -> Result<(), Duration> {
            Self(self.0.clone()).take(bucket, hash, now)
        }
    }
}
