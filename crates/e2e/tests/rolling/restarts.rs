//! Every service is rolled in turn, while clients of all of them go on.

use std::time::Instant;

use crate::intake::Intake;
use crate::keys::Keys;
use crate::messages::Messages;
use crate::notifications::Notifications;
use crate::sessions::Sessions;
use crate::sms::Sms;
use crate::synchronizing::Synchronizing;
use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_restarts_under_load_lose_nothing() {
    let (world, mut deployments) = World::start().await;
    world.journal.begin("the beginning");
    let messages = Messages::start(&world).await;
    let notifications = Notifications::start(&world).await;
    let sms = Sms::start(&world).await;
    let sessions = Sessions::start(&world).await;
    let keys = Keys::start(&world).await;
    let synchronizing = Synchronizing::start(&world).await;
    let intake = Intake::start(&world).await;

    let began = Instant::now();
    for deployment in &mut deployments {
        deployment.roll(&world.journal).await;
    }
    let took = began.elapsed();
    world.journal.begin("the end");

    let account = [
        messages.finish().await,
        notifications.finish().await,
        sms.finish(&world).await,
        sessions.finish().await,
        keys.finish().await,
        synchronizing.finish().await,
        intake.finish().await,
    ];
    println!("{} pods were replaced in {took:?}: {}", 2 * deployments.len(), account.join("; "));
    // A pod says that it drains, its answers end the connections that they came by, and only then it stops.
    let failures = world.journal.failures();
    assert!(failures.is_empty(), "clients had to try again {} times: {failures:#?}", failures.len());
}
