//! The end of a process, in its order.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::StreamExt;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use web::{HttpSettings, Service, Task};

use crate::{
    harness::{DEADLINE, Host, settings},
    toy::toy,
};

/// A drain that waits for longer than a test does, should something not end by itself.
fn patient() -> HttpSettings {
    HttpSettings { drain_timeout: 3 * DEADLINE, ..settings() }
}

/// A service with a task that notes its end in the list.
fn tasked() -> (Service, Arc<Mutex<Vec<&'static str>>>) {
    let order = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&order);
    let mut service = Service::new("tasked");
    service.tasks = vec![Task::new("consumer", move |cancel| async move {
        cancel.cancelled().await;
        // Work in hand is finished after the signal.
        tokio::time::sleep(Duration::from_millis(50)).await;
        noted.lock().unwrap().push("task finished");
        Ok::<(), std::io::Error>(())
    })];
    (service, order)
}

#[tokio::test]
async fn open_sockets_get_a_close_frame_and_the_end_is_quick() {
    let host = Host::start_with(&patient(), [toy().0]);
    let mut sockets = Vec::new();
    for _ in 0..50 {
        sockets.push(host.connect("/v1/echo", None).await);
    }
    host.until_metric("websockets_open 50").await;

    host.begin_stop();
    for mut socket in sockets {
        let message = timeout(DEADLINE, socket.next()).await.unwrap().unwrap().unwrap();
        let Message::Close(Some(frame)) = message else { panic!("{message:?} instead of a close frame") };
        assert_eq!(u16::from(frame.code), 1012);
        while timeout(DEADLINE, socket.next()).await.unwrap().is_some() {}
    }

    host.ended().await.unwrap();
}

#[tokio::test]
async fn a_request_that_waits_is_told_and_answered() {
    let (service, mut told) = toy();
    let host = Host::start_with(&patient(), [service]);
    let waiting = tokio::spawn(host.get("/v1/wait").send());
    timeout(DEADLINE, told.wait_for(|waiting| *waiting == 1)).await.unwrap().unwrap();

    host.begin_stop();

    assert_eq!(waiting.await.unwrap().unwrap().text().await.unwrap(), "finished");
    host.ended().await.unwrap();
}

#[tokio::test]
async fn readiness_goes_first_and_service_goes_on_through_the_delay() {
    // Not over before the test is.
    let http = HttpSettings { drain_delay: Duration::from_secs(3600), ..settings() };
    let (tasked, order) = tasked();
    let host = Host::start_with(&http, [toy().0, tasked]);
    assert_eq!(host.get_internal("/health/ready").send().await.unwrap().status(), 200);
    let before = host.get("/v1/things/1").send().await.unwrap();

    host.begin_stop();

    let draining = async {
        while host.get_internal("/health/ready").send().await.unwrap().status() != 503 {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, draining).await.unwrap();
    let during = host.get("/v1/things/1").send().await.unwrap();
    let refused = host.get("/v1/nothing").send().await.unwrap();
    assert_eq!((during.status().as_u16(), refused.status().as_u16()), (200, 404));
    // Clients that keep connections are sent elsewhere.
    let parts = [&before, &during, &refused].map(|answer| answer.headers().get("connection").is_some());
    assert_eq!(parts, [false, true, true]);
    assert!(order.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_task_finishes_its_work_before_the_end() {
    let http = HttpSettings { drain_delay: Duration::from_millis(50), ..patient() };
    let (tasked, order) = tasked();
    let host = Host::start_with(&http, [toy().0, tasked]);

    host.begin_stop();

    host.ended().await.unwrap();
    assert_eq!(*order.lock().unwrap(), ["task finished"]);
}

#[tokio::test]
async fn a_task_that_does_not_end_cannot_hold_the_process() {
    let http = HttpSettings { drain_timeout: Duration::from_secs(1), ..settings() };
    let mut stuck = Service::new("stuck");
    stuck.tasks = vec![Task::new("stuck", |_| std::future::pending::<Result<(), std::io::Error>>())];
    let host = Host::start_with(&http, [stuck]);

    host.begin_stop();

    host.ended().await.unwrap();
}
