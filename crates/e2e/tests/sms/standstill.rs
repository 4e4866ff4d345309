//! A gateway that stands still, as one whose host is moved or has no processor for it, has answers in its sockets when it
//! goes on: it reads them before it gives anything up.

use common::models::sms::SmsState;
use smpp::smsc::{Behaviour, Receipts, Span};
use testkit::database::TestDb;
use testkit::wait::wait_until;
use tokio::time::{Duration, sleep};

use crate::cases::ACME;
use crate::secrecy::{NUMBERS, WHISPER};
use crate::statuses::Statuses;
use crate::world::{World, simulator, simulator_table};

const SENDS: usize = 20;
/// The answers come while the gateway stands still.
const LATENCY: Duration = Duration::from_millis(800);
/// What the gateway waits for, and longer than a busy machine takes to stop it.
const PATIENCE: &str = "8s";
/// Longer than that, and than it takes an outage of the database to be forgotten.
const STANDSTILL: Duration = Duration::from_secs(14);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_while_a_gateway_stood_still_is_neither_given_up_nor_sent_again() {
    let (world, db) = (World::shared().await, TestDb::postgres().await);
    let exactly = |time| Span { min: time, max: time };
    let receipts = Receipts { delay: exactly(2 * LATENCY), ..Receipts::default() };
    let behaviour = Behaviour { latency: exactly(LATENCY), receipts: Some(receipts), ..Behaviour::default() };
    let smsc = simulator(behaviour, 13).await;
    let more = [
        ("sms_gateway.unknown_after", PATIENCE),
        ("sms_gateway.resend_after", PATIENCE),
        ("bus.session_timeout", "30s"),
    ];
    let gateway = world.gateway_with(&db, &simulator_table(&smsc), &more).await;
    let statuses = Statuses::of(&world.bus, &world.status);

    let name = |index| format!("urgent-{index}");
    let request = |index: usize| {
        let text = format!("To: +{NUMBERS}{index:04}\nSender: TEST\n\n{WHISPER}");
        let mut request = world.maker().request(ACME, &name(index), &text);
        request.insert("class".into(), "otp".into());
        world.record(Some(serde_json::to_vec(&request).unwrap()))
    };
    world.produce((0..SENDS).map(request).collect()).await;
    wait_until("all to be with the SMSC", || async { smsc.counts().borrow().accepted >= SENDS as u64 }).await;
    gateway.signal("STOP").unwrap();
    sleep(STANDSTILL).await;
    gateway.signal("CONT").unwrap();

    for index in 0..SENDS {
        statuses.wait(&name(index), 2).await;
        let told: Vec<SmsState> =
            statuses.said(&name(index)).iter().map(|one| one.status.sms_status).collect();
        assert_eq!(told, [SmsState::Sent, SmsState::Delivered], "{}", name(index));
    }
    assert_eq!(smsc.accepted().len(), SENDS, "none was sent again");
}
