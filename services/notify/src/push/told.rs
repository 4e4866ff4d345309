//! A device that is told through a webhook: its receiver has a way of its own to it.

use common::models::UnixMillis;
use db::DbError;
use ring::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::{Builder, Uuid};
use webhook::{Message, Target};

use super::sender::Verdict;
use crate::app::State;
use crate::domain::NotifyError;
use crate::store::pushes::PushRow;
use crate::webhooks::EventKind;

/// The form of `proto/notify/webhook.schema.json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    #[serde(rename = "type")]
    kind: EventKind,
    id: Uuid,
    at: UnixMillis,
    channel: &'a str,
    offset: i64,
    /// What the receiver knows the device by.
    device: &'a str,
    urgency: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    expires_at: UnixMillis,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

/// Tells the receiver of a device.
pub(super) async fn send(
    state: &State,
    row: &PushRow,
    (target, device): (&Target, &str),
    data: Option<&RawValue>,
) -> Result<Verdict, NotifyError> {
    let Some(webhooks) = &state.webhooks else { return Ok(Verdict::Gone) };
    let id = id_of(row);
    let told = Told {
        kind: EventKind::Notification,
        id,
        at: row.published_at,
        channel: &row.channel,
        offset: row.channel_offset,
        device,
        urgency: &row.urgency,
        topic: row.topic.as_deref(),
        expires_at: row.expires_at,
        data,
    };
    let body = serde_json::to_vec(&told).map_err(DbError::other)?;
    let verdict = webhooks.send(target, Message { id: id.to_string(), body, trace: None }).await;
    Ok(match verdict {
        webhook::Verdict::Taken => Verdict::Taken,
        // Of one event, it speaks of its device.
        webhook::Verdict::Gone => Verdict::Gone,
        webhook::Verdict::Later(pause) => Verdict::Later(pause),
        webhook::Verdict::Refused(status) => Verdict::Refused(status),
    })
}

/// The same whenever the same device is told of the same notification.
fn id_of(row: &PushRow) -> Uuid {
    let place = [row.slot.to_be_bytes(), row.channel_offset.to_be_bytes()].concat();
    // Neither a channel nor a holder has NUL in it.
    let name = [row.channel.as_bytes(), b"\0", row.holder.as_bytes(), b"\0", &place].concat();
    let hash = digest(&SHA256, &name);
    let bytes = hash.as_ref().first_chunk::<16>().copied().unwrap_or_default();
    Builder::from_random_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(holder: &str, slot: i64, offset: i64) -> PushRow {
        PushRow {
            channel: "a".to_owned(),
            holder: holder.to_owned(),
            slot,
            channel_offset: offset,
            urgency: "normal".to_owned(),
            topic: None,
            published_at: UnixMillis(1),
            expires_at: UnixMillis(2),
            attempts: 0,
            due_at: UnixMillis(1),
        }
    }

    #[test]
    fn it_has_the_form_of_the_golden_example() {
        let golden: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../../../proto/notify/webhooks.json")).unwrap();
        let data = RawValue::from_string(r#"{"state":"ready"}"#.to_owned()).unwrap();
        let told = Told {
            kind: EventKind::Notification,
            id: "01890a5d-ac96-474b-bcce-b302099a8055".parse().unwrap(),
            at: UnixMillis(1_767_225_600_000),
            channel: "orders/7",
            offset: 12,
            device: "apns:00fc13adff78512",
            urgency: "high",
            topic: Some("order"),
            expires_at: UnixMillis(1_767_229_200_000),
            data: Some(&data),
        };

        assert_eq!(&serde_json::to_value(&told).unwrap(), golden.last().unwrap());
    }

    #[test]
    fn another_try_has_the_same_id_and_nothing_else_has() {
        let id = id_of(&row("token:1", 0, 7));

        assert_eq!(id, id_of(&PushRow { attempts: 3, due_at: UnixMillis(9), ..row("token:1", 0, 7) }));
        for other in [row("token:2", 0, 7), row("token:1", 7, 7), row("token:1", 0, 8)] {
            assert_ne!(id, id_of(&other));
        }
    }
}
