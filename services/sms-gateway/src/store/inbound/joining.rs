//! Parts of longer messages: kept until all have come, or no more are waited for.

use common::crypto::sms_inbound::InboundBody;
use common::models::UnixMillis;
use common::models::sms::{SmsInbound, SmscName};
use db::DbConn;
use sms::Piece;

use super::{Desk, Fate, Harvest, keyless, parts};
use crate::domain::inbound::owners::{Subject, Unsealable, Whole};
use crate::domain::inbound::{Fragment, Place, join};
use crate::store::StoreError;

/// Where a message came in.
struct Source<'a> {
    smsc: &'a SmscName,
    to: &'a str,
}

impl<'a> From<&'a Fragment> for Source<'a> {
    fn from(fragment: &'a Fragment) -> Self {
        Self { smsc: &fragment.smsc, to: &fragment.to }
    }
}

impl<'a> From<&'a parts::MessageRow> for Source<'a> {
    fn from(row: &'a parts::MessageRow) -> Self {
        Self { smsc: &row.smsc, to: &row.recipient }
    }
}

/// What parts make.
enum Assembled {
    Record(SmsInbound),
    Nobodys,
    Keyless(Unsealable),
    Lost,
}

impl Harvest {
    fn assembled(&mut self, place: usize, whole: Assembled) -> Fate {
        match whole {
            Assembled::Record(record) => {
                self.records.push((place, record));
                Fate::Published
            }
            Assembled::Nobodys => Fate::Unowned,
            Assembled::Keyless(_) => Fate::Keyless,
            Assembled::Lost => Fate::Lost,
        }
    }
}

impl Desk {
    /// Takes a part of a longer message.
    pub(super) fn take_part(
        &self,
        conn: &mut DbConn,
        fragment: &Fragment,
        part: Place,
        (place, now): (usize, UnixMillis),
        harvest: &mut Harvest,
    ) -> Result<Fate, StoreError> {
        if !self.owners.is_ours(&fragment.smsc, &fragment.to) {
            return Ok(Fate::Unowned);
        }
        let (name, digest) = (self.key.message(fragment, part), self.key.digest(fragment));
        parts::lock(conn, &name, fragment, part.total, now)?;
        let mut kept = parts::of(conn, &name)?;
        let mut earlier = None;
        match kept.iter().find(|kept| kept.part == i32::from(part.number)) {
            Some(same) if same.digest == digest => return Ok(Fate::Repeated),
            // The handset counts its messages with 8 bits: another one has got the number of one that is incomplete.
            Some(_) => match self.assemble(&name, fragment.into(), &kept, (part.total, now))? {
                Assembled::Record(record) => {
                    earlier = Some(record);
                    kept.clear();
                }
                Assembled::Nobodys | Assembled::Lost => kept.clear(),
                Assembled::Keyless(error) => return Ok(keyless(&error)),
            },
            None => {}
        }
        let supersedes = kept.is_empty();
        let sealed = self.key.seal(&name, part.number, fragment).map_err(StoreError::unreadable)?;
        kept.push(parts::PartRow::new(&name, part.number, digest, sealed));
        let complete = kept.len() == usize::from(part.total);
        let whole = match complete {
            true => Some(self.assemble(&name, fragment.into(), &kept, (part.total, now))?),
            false => None,
        };
        if let Some(Assembled::Keyless(error)) = &whole {
            parts::unlock(conn, &name)?;
            return Ok(keyless(error));
        }
        let Some(row) = kept.pop() else { return Ok(Fate::Gone) };
        if !parts::is_first(conn, &row.digest, self.repeats, now)? {
            parts::unlock(conn, &name)?;
            return Ok(Fate::Repeated);
        }
        harvest.records.extend(earlier.map(|record| (place, record)));
        match whole {
            None => {
                if supersedes {
                    parts::clear(conn, &name, now)?;
                }
                parts::keep(conn, &row)?;
                Ok(Fate::Kept)
            }
            Some(whole) => {
                parts::forget(conn, &name)?;
                Ok(harvest.assembled(place, whole))
            }
        }
    }

    /// Gives up waiting for the other parts of a message.
    pub(super) fn close(
        &self,
        conn: &mut DbConn,
        name: &str,
        (before, place, now): (UnixMillis, usize, UnixMillis),
        harvest: &mut Harvest,
    ) -> Result<Fate, StoreError> {
        let Some(message) = parts::lock_overdue(conn, name, before)? else { return Ok(Fate::Gone) };
        let kept = parts::of(conn, name)?;
        let total = u8::try_from(message.total).unwrap_or(u8::MAX);
        match self.assemble(name, (&message).into(), &kept, (total, now))? {
            Assembled::Keyless(_) => Ok(Fate::Keyless),
            whole => {
                parts::forget(conn, name)?;
                Ok(harvest.assembled(place, whole))
            }
        }
    }

    /// Puts together what there is of a message, for its owner.
    fn assemble(
        &self,
        name: &str,
        Source { smsc, to }: Source<'_>,
        kept: &[parts::PartRow],
        (total, now): (u8, UnixMillis),
    ) -> Result<Assembled, StoreError> {
        let mut pieces: Vec<Option<Piece>> = vec![None; usize::from(total)];
        let mut sender = None;
        for row in kept {
            let number = u8::try_from(row.part).unwrap_or_default();
            let Ok((from, piece)) = self.key.open(name, number, &row.sealed) else {
                tracing::error!(
                    "parts of a message cannot be decrypted: the secret between services has changed"
                );
                return Ok(Assembled::Lost);
            };
            if let Some(slot) = pieces.get_mut(usize::from(number).saturating_sub(1)) {
                *slot = Some(piece);
            }
            sender = Some(from);
        }
        let Some(from) = sender else { return Ok(Assembled::Nobodys) };
        let partial = pieces.iter().any(Option::is_none);
        let headless = pieces.first().is_none_or(Option::is_none);
        let body = join(&pieces);
        let text = match &body {
            InboundBody::Text(text) if !headless => Some(text.as_str()),
            _ => None,
        };
        let meaning = self.owners.meaning(&Subject { smsc, to, text, alone: false });
        let Some(owner) = meaning.owner else { return Ok(Assembled::Nobodys) };
        let whole = Whole { from: &from, to, body, parts: total, partial };
        Ok(match self.owners.record(owner, whole, now) {
            Ok(record) => Assembled::Record(record),
            Err(error) => Assembled::Keyless(error),
        })
    }
}
