//! The golden records in `proto/bus/examples` are what our types read and write, and name what the schemas name.

use common::models::UnixMillis;
use common::models::events::{AccountChange, AccountEvent, MailboxChange, MailboxEvent};
use common::models::notify::{
    MessageType, NotificationFrame, NotificationMeta, NotificationRecord, NotifyFrame, NotifyRequest, Place,
};
use common::models::sms::{SmsInbound, SmsRequest, SmsStatus};
use serde_json::value::RawValue;
use serde_json::{Value, json};

macro_rules! proto {
    ($file:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../../../proto/", $file))).unwrap()
    };
}

fn examples(file: Value) -> Vec<Value> {
    file.as_array().unwrap().clone()
}

/// Asserts that every member of an example is described, and every required one is there.
fn assert_described(example: &Value, schema: &Value) {
    let kind = &example["type"];
    let branch = schema["oneOf"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["properties"]["type"]["const"] == *kind));
    let parts: Vec<&Value> = std::iter::once(schema).chain(branch).collect();
    assert_eq!(schema["oneOf"].is_array(), branch.is_some(), "{kind} has a branch");
    for name in example.as_object().unwrap().keys() {
        assert!(parts.iter().any(|part| !part["properties"][name].is_null()), "{name} is not described");
    }
    for name in parts.iter().filter_map(|part| part["required"].as_array()).flatten() {
        assert!(!example[name.as_str().unwrap()].is_null(), "{name} is missing");
    }
}

#[test]
fn account_events_are_read_and_written() {
    let schema = proto!("bus/account-events.schema.json");
    let examples = examples(proto!("bus/examples/account-events.1.json"));

    assert_eq!(schema["title"], AccountEvent::SCHEMA);
    assert_eq!(schema["oneOf"].as_array().unwrap().len(), examples.len(), "an example of each type");
    for example in examples {
        assert_described(&example, &schema);
        let event = AccountEvent::decode(example.to_string().as_bytes()).unwrap();
        assert_eq!(serde_json::to_value(&event).unwrap(), example);
    }
}

#[test]
fn a_removal_of_before_the_session_was_named_is_read() {
    let mut older = examples(proto!("bus/examples/account-events.1.json")).remove(1);
    older.as_object_mut().unwrap().remove("sessionId").unwrap();

    let event = AccountEvent::decode(older.to_string().as_bytes()).unwrap();

    assert!(matches!(event.change, AccountChange::DeviceRemoved { session_id: None, .. }));
    assert_eq!(serde_json::to_value(&event).unwrap(), older);
}

#[test]
fn a_mailbox_event_of_before_the_flag_is_urgent() {
    let mut older = examples(proto!("bus/examples/mailbox-events.1.json")).remove(0);
    older.as_object_mut().unwrap().remove("urgent");

    let event = MailboxEvent::decode(older.to_string().as_bytes()).unwrap();

    assert_eq!(event.change, MailboxChange::MessagesAvailable { urgent: true });
}

#[test]
fn mailbox_events_are_read_and_written() {
    let schema = proto!("bus/mailbox-events.schema.json");

    assert_eq!(schema["title"], MailboxEvent::SCHEMA);
    for example in examples(proto!("bus/examples/mailbox-events.1.json")) {
        assert_described(&example, &schema);
        let event = MailboxEvent::decode(example.to_string().as_bytes()).unwrap();
        assert_eq!(serde_json::to_value(&event).unwrap(), example);
    }
}

#[test]
fn requests_are_read_accepted_and_written() {
    let schema = proto!("bus/send-sms.schema.json");

    for example in examples(proto!("bus/examples/send-sms.json")) {
        assert_described(&example, &schema);
        let request = SmsRequest::parse(example.to_string().as_bytes()).unwrap();
        assert_eq!(serde_json::to_value(&request).unwrap(), example);
        assert!(request.check(true, UnixMillis(1_707_568_496_789)).is_ok());
    }
}

#[test]
fn statuses_are_read_and_written() {
    let schema = proto!("bus/sms-status.schema.json");

    let examples = examples(proto!("bus/examples/sms-status.json"));

    for example in &examples {
        assert_described(example, &schema);
        let status: SmsStatus = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(&serde_json::to_value(&status).unwrap(), example);
    }
    let states: Vec<&Value> = examples.iter().map(|example| &example["sms-status"]).collect();
    assert_eq!(json!(states), schema["properties"]["sms-status"]["enum"], "an example of each state");
}

#[test]
fn messages_from_handsets_are_read_and_written() {
    let schema = proto!("bus/sms-inbound.schema.json");

    for example in examples(proto!("bus/examples/sms-inbound.json")) {
        assert_described(&example, &schema);
        let inbound: SmsInbound = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(serde_json::to_value(&inbound).unwrap(), example);
    }
}

#[test]
fn records_of_notifications_are_read_and_written() {
    let schema = proto!("bus/notify.schema.json");

    assert_eq!(schema["title"], NotificationRecord::SCHEMA);
    for example in examples(proto!("bus/examples/notify.1.json")) {
        assert_described(&example, &schema);
        let record: NotificationRecord = serde_json::from_str(&example.to_string()).unwrap();
        assert_eq!(serde_json::to_value(&record).unwrap(), example);
    }
}

#[test]
fn frames_of_notifications_are_read_and_written() {
    let frames = proto!("notify/frames.json");
    let schema = proto!("notify/notification.schema.json");

    for example in examples(frames["client"].clone()) {
        let request: NotifyRequest = serde_json::from_value(example.clone()).unwrap();
        let (id, offset) = match request {
            NotifyRequest::Subscribe { id, offset, .. } => (id, offset),
            NotifyRequest::Unsubscribe { id, .. } => (id, None),
        };
        assert_eq!((json!(id), json!(offset)), (example["id"].clone(), example["offset"].clone()));
    }
    for example in examples(frames["server"].clone()) {
        let frame: NotifyFrame = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(serde_json::to_value(&frame).unwrap(), example);
    }
    for example in examples(frames["notifications"].clone()) {
        assert_described(&example, &schema);
        let data = RawValue::from_string(example["data"].to_string()).unwrap();
        let place: Option<Place> = serde_json::from_value(example.clone()).ok();
        assert_eq!(place.is_some(), example["offset"].is_i64());
        let meta = NotificationMeta {
            channel: example["channel"].as_str().unwrap(),
            id: serde_json::from_value(example["id"].clone()).unwrap(),
            place,
            at: serde_json::from_value(example["at"].clone()).unwrap(),
        };
        let frame = NotificationFrame { kind: MessageType::Message, meta, data: &data };
        assert_eq!(serde_json::to_value(frame).unwrap(), example);
    }
}
