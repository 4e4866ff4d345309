//! The latest publications of a channel, in memory: a crowd that comes back together reads the history once.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::Publication;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keep {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Keep {
    pub(super) const NOTHING: Self = Self { messages: 0, bytes: 0 };
}

/// Publications without gaps up to the last one of the channel. Empty while few clients are in the channel.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// The offset of the first one.
    first: i64,
    bytes: usize,
    publications: VecDeque<Arc<Publication>>,
}

impl Recent {
    /// Adds the next publication, and lets go of what is more than `keep`.
    pub(super) fn push(&mut self, offset: i64, publication: &Arc<Publication>, keep: Keep) {
        if self.publications.is_empty() {
            self.first = offset;
        }
        self.bytes += publication.size();
        self.publications.push_back(Arc::clone(publication));
        while self.publications.len() > keep.messages || self.bytes > keep.bytes {
            let Some(oldest) = self.publications.pop_front() else { break };
            self.bytes -= oldest.size();
            self.first += 1;
        }
        if self.publications.is_empty() {
            self.clear();
        }
    }

    /// Adds what came before the first one, up to `keep` in all; `last` is the last offset of the channel.
    pub(super) fn extend_back(&mut self, earlier: &[Arc<Publication>], last: i64, keep: Keep) {
        for publication in earlier.iter().rev() {
            let Some(place) = publication.place() else { continue };
            let next = if self.publications.is_empty() { last } else { self.first - 1 };
            let fits =
                self.publications.len() < keep.messages && self.bytes + publication.size() <= keep.bytes;
            if place.offset == next && fits {
                self.bytes += publication.size();
                self.publications.push_front(Arc::clone(publication));
                self.first = place.offset;
            }
        }
    }

    /// Gives everything after an offset, if that is here without a gap.
    pub(super) fn after(&self, offset: i64) -> Option<Vec<Arc<Publication>>> {
        let skipped = usize::try_from(offset + 1 - self.first).ok()?;
        if self.publications.is_empty() || skipped > self.publications.len() {
            return None;
        }
        Some(self.publications.iter().skip(skipped).cloned().collect())
    }

    pub(super) fn clear(&mut self) {
        self.publications = VecDeque::new();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::channel::tests::publication;

    fn keep(messages: usize) -> Keep {
        Keep { messages, bytes: 1000 }
    }

    fn offsets(found: Option<Vec<Arc<Publication>>>) -> Option<Vec<i64>> {
        found.map(|found| found.iter().map(|one| one.place().unwrap().offset).collect())
    }

    #[test]
    fn the_latest_are_kept_and_given_without_gaps() {
        let mut recent = Recent::default();
        assert!(recent.after(0).is_none());

        (5..=9).for_each(|offset| recent.push(offset, &publication(offset), keep(3)));

        assert_eq!(offsets(recent.after(6)), Some(vec![7, 8, 9]));
        assert_eq!(offsets(recent.after(9)), Some(vec![]));
        assert_eq!(offsets(recent.after(5)), None);
        recent.extend_back(&[publication(4), publication(5), publication(6)], 9, keep(5));
        assert_eq!(offsets(recent.after(4)), Some(vec![5, 6, 7, 8, 9]), "no more than fit");
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes_too() {
        let (mut recent, bytes) = (Recent::default(), 2 * publication(1).size());

        (1..=5).for_each(|offset| recent.push(offset, &publication(offset), Keep { messages: 100, bytes }));

        assert_eq!(offsets(recent.after(3)), Some(vec![4, 5]));
        assert!(recent.after(2).is_none());
        recent.push(6, &publication(6), Keep::NOTHING);
        assert!(recent.after(6).is_none() && recent.bytes == 0);
    }

    #[test]
    fn what_was_read_is_kept_when_there_was_nothing() {
        let mut recent = Recent::default();

        recent.extend_back(&[publication(2), publication(3)], 3, keep(10));

        assert_eq!(offsets(recent.after(1)), Some(vec![2, 3]));
        recent.clear();
        recent.extend_back(&[publication(2), publication(3)], 7, keep(10));
        assert!(recent.after(1).is_none(), "there would be a gap up to the last one");
    }
}
