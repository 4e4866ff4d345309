//! A request outlives the worker thread that opened its connection.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::time::Duration;

use clients::{Dispatch, Timeouts, http_client};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot::{self, Receiver, Sender};
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(10);

const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// The runtime of a worker thread of actix.
fn worker() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Reads a request without a body.
async fn asked(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
}

/// Answers two requests on one connection, the second one when `go` says so.
async fn serve(listener: TcpListener, twice: Sender<()>, go: Receiver<()>) {
    let (mut stream, _) = listener.accept().await.unwrap();
    asked(&mut stream).await;
    stream.write_all(NO_CONTENT).await.unwrap();
    asked(&mut stream).await;
    twice.send(()).unwrap();
    go.await.unwrap();
    stream.write_all(NO_CONTENT).await.unwrap();
}

#[test]
fn a_request_outlives_the_worker_that_opened_its_connection() {
    let process = Runtime::new().unwrap();
    let _process = process.enter();
    let dispatch = Dispatch::here();
    let client = http_client(Timeouts::default(), false).unwrap();
    let listener = process.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let [(twice, asked_twice), (go, may_go), (answered, first_answer), (end, ends)] =
        [(); 4].map(|()| oneshot::channel());
    process.spawn(serve(listener, twice, may_go));
    let ask = move || {
        let (dispatch, request) = (dispatch.clone(), client.get(&url));
        async move { timeout(DEADLINE, dispatch.send(request)).await.unwrap() }
    };
    let first = ask.clone();
    let opens = std::thread::spawn(move || {
        worker().block_on(async {
            first().await.unwrap();
            answered.send(()).unwrap();
            ends.await.unwrap();
        });
    });
    process.block_on(first_answer).unwrap();

    let answer = std::thread::spawn(move || {
        worker().block_on(async {
            let ending = async {
                asked_twice.await.unwrap();
                end.send(()).unwrap();
                opens.join().unwrap();
                go.send(()).unwrap();
            };
            tokio::join!(ask(), ending).0
        })
    });

    assert_eq!(answer.join().unwrap().unwrap().status(), 204);
}
