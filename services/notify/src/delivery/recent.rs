//! The latest publications of a channel, in memory: a crowd that comes back together reads the history once.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::Publication;

/// Publications without gaps up to the last one of the channel. Empty while few clients are in the channel.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// The offset of the first one.
    first: i64,
    publications: VecDeque<Arc<Publication>>,
}

impl Recent {
    /// Adds the next publication, and lets go of what is more than `limit`.
    pub(super) fn push(&mut self, offset: i64, publication: &Arc<Publication>, limit: usize) {
        if limit == 0 {
            self.clear();
            return;
        }
        if self.publications.is_empty() {
            self.first = offset;
        }
        self.publications.push_back(Arc::clone(publication));
        while self.publications.len() > limit {
            self.publications.pop_front();
            self.first += 1;
        }
    }

    /// Adds what came before the first one, up to `limit` in all; `last` is the last offset of the channel.
    pub(super) fn extend_back(&mut self, earlier: &[Arc<Publication>], last: i64, limit: usize) {
        for publication in earlier.iter().rev() {
            let Some(place) = publication.place() else { continue };
            let next = if self.publications.is_empty() { last } else { self.first - 1 };
            if place.offset == next && self.publications.len() < limit {
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::channel::tests::publication;

    fn offsets(found: Option<Vec<Arc<Publication>>>) -> Option<Vec<i64>> {
        found.map(|found| found.iter().map(|one| one.place().unwrap().offset).collect())
    }

    #[test]
    fn the_latest_are_kept_and_given_without_gaps() {
        let mut recent = Recent::default();
        assert!(recent.after(0).is_none());

        (5..=9).for_each(|offset| recent.push(offset, &publication(offset), 3));

        assert_eq!(offsets(recent.after(6)), Some(vec![7, 8, 9]));
        assert_eq!(offsets(recent.after(9)), Some(vec![]));
        assert_eq!(offsets(recent.after(5)), None);
        recent.extend_back(&[publication(4), publication(5), publication(6)], 9, 5);
        assert_eq!(offsets(recent.after(4)), Some(vec![5, 6, 7, 8, 9]), "no more than fit");
    }

    #[test]
    fn what_was_read_is_kept_when_there_was_nothing() {
        let mut recent = Recent::default();

        recent.extend_back(&[publication(2), publication(3)], 3, 10);

        assert_eq!(offsets(recent.after(1)), Some(vec![2, 3]));
        recent.clear();
        recent.extend_back(&[publication(2), publication(3)], 7, 10);
        assert!(recent.after(1).is_none(), "there would be a gap up to the last one");
    }
}
