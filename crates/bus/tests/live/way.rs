//! A way to a broker on which what is sent can be kept back, and which can break.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

/// A way; it is there until the test ends.
pub(crate) struct Way {
    /// Where the broker is reached by it.
    pub(crate) url: String,
    holds: watch::Sender<bool>,
    held: Arc<AtomicUsize>,
    broken: Arc<Notify>,
}

impl Way {
    /// Opens a way to the broker at a URL with user and virtual host.
    pub(crate) async fn to(url: &str) -> Self {
        let (user, place) = url.split_once('@').expect("a user");
        let (broker, vhost) = place.split_once('/').expect("a virtual host");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let here = listener.local_addr().expect("an address");
        let way = Self {
            url: format!("{user}@{here}/{vhost}"),
            holds: watch::Sender::new(false),
            held: Arc::default(),
            broken: Arc::default(),
        };
        let (broker, holds) = (broker.to_owned(), way.holds.clone());
        let (held, broken) = (Arc::clone(&way.held), Arc::clone(&way.broken));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (from_client, mut to_client) = client.into_split();
                let broker = TcpStream::connect(&broker).await.expect("the broker");
                let (mut from_broker, to_broker) = broker.into_split();
                let (there, broken) =
                    (forward(from_client, to_broker, holds.subscribe(), Arc::clone(&held)), broken.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        biased;
                        () = broken.notified() => {}
                        () = there => {}
                        _ = copy(&mut from_broker, &mut to_client) => {}
                    }
                });
            }
        });
        way
    }

    /// Keeps back what is sent from now on.
    pub(crate) fn hold(&self) {
        self.held.store(0, Ordering::SeqCst);
        self.holds.send_replace(true);
    }

    /// How many bytes have been kept back.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    /// Lets pass what was kept back, and what comes.
    pub(crate) fn release(&self) {
        self.holds.send_replace(false);
    }

    /// Cuts the connections, with what was kept back; new ones are as any.
    pub(crate) fn cut(&self) {
        self.broken.notify_waiters();
        self.release();
    }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut holds: watch::Receiver<bool>,
    held: Arc<AtomicUsize>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if *holds.borrow() {
            held.fetch_add(count, Ordering::SeqCst);
        }
        if holds.wait_for(|holds| !holds).await.is_err() || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
