//! What travels between pods, as the body of a message: version, kind of frame, origin, then the event. Its trace is in a
//! header of the message.

use bytes::Bytes;

use crate::live::{LiveEvent, Route, shard_of};

const VERSION: u8 = 1;
const SHARD: u8 = 1;
const ALL: u8 = 2;
const GAP: u8 = 3;
const HEAD: usize = 18;

/// A message between pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// An event for the subscribers that its route names.
    Event(Route, LiveEvent),
    /// Frames of this origin may be missing.
    Gap,
}

/// Makes the id of a pod, for as long as it runs.
pub(super) fn new_origin() -> [u8; 16] {
    *uuid::Uuid::new_v4().as_bytes()
}

impl Frame {
    /// Writes the frame: `version, kind, origin (16), length of the key (u32, big endian), key, length of the event's
    /// kind (u32), kind, payload`; a gap ends after the origin.
    pub(super) fn encode(&self, origin: &[u8; 16]) -> Vec<u8> {
        let tag = match self {
            Self::Event(Route::Shard(_), _) => SHARD,
            Self::Event(Route::All, _) => ALL,
            Self::Gap => GAP,
        };
        let mut body = vec![VERSION, tag];
        body.extend_from_slice(origin);
        if let Self::Event(_, event) = self {
            for field in [event.shard_key.as_ref(), event.kind.as_bytes()] {
                body.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
                body.extend_from_slice(field);
            }
            body.extend_from_slice(&event.payload);
        }
        body
    }

    /// Reads a frame and its origin; `None` for what is none, or of a version that we do not know.
    pub(super) fn decode(body: Bytes) -> Option<([u8; 16], Self)> {
        let head: [u8; HEAD] = body.get(..HEAD)?.try_into().ok()?;
        let [VERSION, tag, origin @ ..] = head else { return None };
        if tag == GAP {
            return Some((origin, Self::Gap));
        }
        let mut rest = body.slice(HEAD..);
        let shard_key = field(&mut rest)?;
        let kind = String::from_utf8(field(&mut rest)?.into()).ok()?;
        let route = match tag {
            SHARD => Route::Shard(shard_of(&shard_key)),
            ALL => Route::All,
            _ => return None,
        };
        Some((origin, Self::Event(route, LiveEvent { shard_key, kind, payload: rest, trace: None })))
    }
}

fn field(rest: &mut Bytes) -> Option<Bytes> {
    let length = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?);
    let end = usize::try_from(length).ok()?.checked_add(4)?;
    rest.get(..end)?;
    Some(rest.split_to(end).slice(4..))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> LiveEvent {
        LiveEvent::new(&b"\x00mailbox"[..], "appended", &b"\xff\x00"[..])
    }

    #[test]
    fn frames_come_back_as_they_were() {
        let key = shard_of(&event().shard_key);
        let empty = LiveEvent::new("", "", "");
        let shard_of_empty = shard_of(b"");

        for frame in [
            Frame::Event(Route::Shard(key), event()),
            Frame::Event(Route::All, event()),
            Frame::Event(Route::Shard(shard_of_empty), empty),
            Frame::Gap,
        ] {
            let body = frame.encode(&[7; 16]);

            assert_eq!(Frame::decode(body.into()), Some(([7; 16], frame)));
        }
    }

    #[test]
    fn cut_or_foreign_bodies_are_refused() {
        let body = Frame::Event(Route::All, LiveEvent::new("key", "kind", "")).encode(&[7; 16]);

        for end in 0..body.len() {
            assert_eq!(Frame::decode(body[..end].to_vec().into()), None, "{end}");
        }
        let mut newer = body.clone();
        newer[0] = 2;
        assert_eq!(Frame::decode(newer.into()), None);
        let mut huge = body;
        huge[HEAD..HEAD + 4].fill(0xff);
        assert_eq!(Frame::decode(huge.into()), None);
    }
}
